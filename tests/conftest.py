"""What the tests share: a real assistant on the starter corpus, the real application on loopback, a real browser."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from loopback import ROOT, Served, Server
from rooms import Room, room
from scripted import Scripted, perfect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from rag.assistant import Assistant

CHROMIUM = Path("/usr/bin/chromium")


def pytest_configure(config: pytest.Config) -> None:
    # Gradio's own statistics use what pandas is about to drop; as an error it would end Gradio's tasks.
    config.addinivalue_line("filterwarnings", "ignore:'future.no_silent_downcasting' is deprecated")
    config.addinivalue_line("filterwarnings", "ignore:The copy keyword is deprecated")


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An assistant on the starter corpus, synced into an index of its own."""
    from rag.assistant import Assistant

    with Assistant(corpus=ROOT / "corpus", index=tmp_path_factory.mktemp("starter") / "index") as assistant:
        assistant.sync()
        yield assistant


@pytest.fixture(scope="session")
def server(starter: Assistant) -> Iterator[Served]:
    """The application on the starter corpus."""
    with Server(starter) as served:
        yield served


@pytest.fixture(scope="session")
def _written(starter: Assistant) -> Iterator[tuple[Assistant, Scripted]]:
    from rag.assistant import Assistant

    with Scripted() as model, Assistant(corpus=starter.corpus, index=starter.path, llm=model.llm()) as assistant:
        yield assistant, model


@pytest.fixture
def model(_written: tuple[Assistant, Scripted]) -> Scripted:
    """The server behind `writer`, with the perfect model in its script: `model.script(...)` gives it another."""
    _written[1].script(perfect)
    return _written[1]


@pytest.fixture
def writer(_written: tuple[Assistant, Scripted], model: Scripted) -> Assistant:
    """An assistant on the starter corpus to which the scripted language model is connected."""
    return _written[0]


@pytest.fixture
def where(folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that lead to the corpus and the index that a module has as its fixture `folders`, away from any
    `.env` and any setting of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ON_RECORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ON_RECORD_HOME", str(tmp_path / "home"))
    return ["--corpus", str(folders[0]), "--index", str(folders[1])]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from the system's packages; without it the tests are skipped, but never in CI."""
    if not CHROMIUM.exists():
        message = f"there is no Chromium at {CHROMIUM}; `apt-get install chromium` brings it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # No host but this one can be found, so that whatever the page would fetch from elsewhere fails. It goes by
        # other names too: a page at localhost is another site than 127.0.0.1, and .test names a server behind TLS.
        alone = "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", alone])
        yield chromium
        chromium.close()


@pytest.fixture
def enter(browser: Browser, server: Served) -> Iterator[Callable[..., Room]]:
    """Enter the chat: `enter(at=server, path="/", **options of the browser context)`."""
    with contextlib.ExitStack() as stack:

        def enter_room(at: Served = server, path: str = "/", **options: Any) -> Room:
            return stack.enter_context(room(browser, at, path, **options))

        yield enter_room
