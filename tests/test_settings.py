"""Settings: where they come from, what wins, what is refused, and that each is documented."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag import settings
from rag.errors import SettingsError
from rag.settings import Settings, load
from rag.values import Token

ROOT = Path(__file__).resolve().parent.parent


def test_without_anything_set_the_defaults_hold(tmp_path: Path) -> None:
    found = load({}, env_file=tmp_path / ".env")
    assert found == Settings()
    assert (found.host, found.port, found.embed_model, found.root_path) == ("127.0.0.1", 7860, "bundled", "")
    assert set(found.allowed_hosts) == {"localhost", "127.0.0.1", "[::1]"}


def test_the_starter_corpus_is_there() -> None:
    assert [path for path in load({}, env_file=None).corpus.rglob("*") if path.is_file()]


def test_every_setting_is_read_from_its_variable(tmp_path: Path) -> None:
    found = load(
        {
            "ON_RECORD_HOME": str(tmp_path),
            "ON_RECORD_CORPUS": "press/2025",
            "ON_RECORD_HOST": "::1",
            "ON_RECORD_PORT": " 8000 ",
            "ON_RECORD_ALLOWED_HOSTS": "Wiki.Example, archive.example",
            "ON_RECORD_ROOT_PATH": "/press/archive/",
            "ON_RECORD_EMBED_MODEL": "models/mine",
            "ON_RECORD_RERANK_MODEL": "off",
            "ON_RECORD_CHROMA_URL": "https://chroma.example/",
            "ON_RECORD_CHROMA_HEADERS": "Authorization: Bearer abc:def; X-Team: press",
            "ON_RECORD_LLM": "GGUF: models/small.gguf",
            "ON_RECORD_LLM_URL": "http://127.0.0.1:11434/v1/",
            "ON_RECORD_LLM_MODEL": "small",
            "ON_RECORD_LLM_KEY": "sk-1",
            "ON_RECORD_LLM_TIMEOUT": "7.5",
            "ON_RECORD_UPLOADS": "ON",
            "ON_RECORD_ADD_URLS": "on",
            "ON_RECORD_FETCH_ADDRESSES": "10.1.0.0/16",
            "ON_RECORD_EMBED_ORIGINS": "https://Wiki.Example:443/, http://127.0.0.1:8091",
            "ON_RECORD_AUTH": "None",
            "ON_RECORD_AUTH_TOKENS": "a-long-enough-token|Legal|Raad van Bestuur, another-long-token",
            "ON_RECORD_AUTH_PASSWORD": "open sesame",
            "ON_RECORD_AUTH_SECRET": "s" * 32,
            "ON_RECORD_AUTH_PROXY_HEADER": "Remote-User, Remote-Groups",
            "ON_RECORD_AUTH_PROXY_ADDRESSES": "127.0.0.1, 10.0.0.0/8, ::1",
            "ON_RECORD_RATE": "0",
            "ON_RECORD_LOG": "questions",
        },
        env_file=None,
    )
    assert found == Settings(
        home=tmp_path,
        corpus=Path("press/2025"),
        host="::1",
        port=8000,
        allowed_hosts=("wiki.example", "archive.example"),
        root_path="/press/archive",
        embed_model="models/mine",
        rerank_model="off",
        chroma_url="https://chroma.example",
        chroma_headers=(("Authorization", "Bearer abc:def"), ("X-Team", "press")),
        llm="gguf:models/small.gguf",
        llm_url="http://127.0.0.1:11434/v1",
        llm_model="small",
        llm_key="sk-1",
        llm_timeout=7.5,
        uploads=True,
        add_urls=True,
        fetch_addresses=("10.1.0.0/16",),
        embed_origins=("https://wiki.example", "http://127.0.0.1:8091"),
        auth="none",
        auth_tokens=(
            Token("a-long-enough-token", frozenset({"legal", "raad van bestuur"})),
            Token("another-long-token"),
        ),
        auth_password="open sesame",
        auth_secret="s" * 32,
        auth_proxy_header=("remote-user", "remote-groups"),
        auth_proxy_addresses=("127.0.0.1/32", "10.0.0.0/8", "::1/128"),
        rate=0,
        log="questions",
    )
    assert all(getattr(found, item.name) != getattr(Settings(), item.name) for item in dataclasses.fields(Settings))


def test_the_environment_wins_over_the_env_file_and_stays_untouched(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("\ufeffON_RECORD_PORT=1111\nON_RECORD_HOST=0.0.0.0\nON_RECORD_CORPUS=$HOME/pers\n", "utf-8")
    before = dict(os.environ)
    found = load({"ON_RECORD_PORT": "2222"}, env_file=env_file)
    assert (found.port, found.host, found.corpus) == (2222, "0.0.0.0", Path("$HOME/pers"))
    assert dict(os.environ) == before


def test_the_env_file_of_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("ON_RECORD_PORT=1234\n")
    monkeypatch.delenv("ON_RECORD_PORT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert load().port == 1234


def test_an_empty_value_counts_as_not_set() -> None:
    assert load({"ON_RECORD_PORT": "", "ON_RECORD_CORPUS": "  "}, env_file=None) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("PORT", "٣"),
        ("HOST", "http://localhost"),
        ("ALLOWED_HOSTS", "https://wiki.example"),
        ("ALLOWED_HOSTS", ","),
        ("ROOT_PATH", "archive"),
        ("ROOT_PATH", '/a"b'),
        ("HOME", "~no-such-user-here/x"),
        ("UPLOADS", "yes"),
        ("LLM", "gpt"),
        ("LLM", "gguf:"),
        ("LLM_URL", "127.0.0.1:11434"),
        ("LLM_URL", "http://user:key@models.example/v1"),
        ("LLM_TIMEOUT", "0"),
        ("LLM_TIMEOUT", "a minute"),
        ("ROOT_PATH", "/api"),
        ("EMBED_ORIGINS", "*"),
        ("EMBED_ORIGINS", "wiki.example"),
        ("EMBED_ORIGINS", "https://*.wiki.example"),
        ("EMBED_ORIGINS", "https://wiki.example/page"),
        ("EMBED_ORIGINS", "https://user@wiki.example"),
        ("EMBED_ORIGINS", "https://["),
        ("AUTH", "off"),
        ("AUTH_PROXY_HEADER", "Remote User"),
        ("AUTH_PROXY_HEADER", "a,b,c"),
        ("AUTH_PROXY_ADDRESSES", "proxy.example"),
        ("AUTH_PROXY_ADDRESSES", "10.0.0.1/8"),
        ("RATE", "-1"),
        ("LOG", "json"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_the_value_and_what_was_expected(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({f"ON_RECORD_{name}": value}, env_file=None)
    message = str(caught.value)
    assert f"ON_RECORD_{name}" in message
    assert repr(value) in message
    assert "expected" in message
    assert "\n" not in message


def test_an_env_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"ON_RECORD_CORPUS=caf\xe9\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        load({}, env_file=tmp_path / ".env")


def test_a_misspelt_setting_is_named_with_the_right_spelling(caplog: pytest.LogCaptureFixture) -> None:
    assert load({"ON_RECORD_PROT": "1"}, env_file=None) == Settings()
    assert "did you mean ON_RECORD_PORT?" in caplog.text


def test_each_corpus_has_its_own_index_below_home(tmp_path: Path) -> None:
    corpora = [tmp_path / "a" / "press", tmp_path / "b" / "press", tmp_path / "Änderungen!"]
    paths = [Settings(home=tmp_path / "home", corpus=corpus).index_path for corpus in corpora]
    assert len(set(paths)) == 3
    assert {path.parent for path in paths} == {tmp_path / "home"}
    assert Settings(home=tmp_path / "home", corpus=tmp_path / "a" / ".." / "a" / "press").index_path == paths[0]


def test_a_program_can_not_change_settings_under_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_readme_documents_every_setting_with_its_default_and_help() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for row in settings.describe().splitlines():
        assert row in readme, "paste the table that rag.settings.describe() returns into the README"


@pytest.mark.parametrize(("environment", "wanted"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_left_out_where_the_user_wants_none(environment: dict[str, str], wanted: bool) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    code = "from rag.settings import colour_wanted; print(colour_wanted())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(wanted)
