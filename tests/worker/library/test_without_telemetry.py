"""Chroma works without its telemetry, and what stands in for it is exactly what Chroma asks for."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.processes import worker_environment
from app.worker.library.without_telemetry import NAMES, LeftOut

WITHOUT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        for left_out in ("opentelemetry", "grpc", "kubernetes", "google"):
            if name == left_out or name.startswith(left_out + "."):
                raise ModuleNotFoundError(f"{name} is left out of this test", name=name)
        return None

sys.meta_path.insert(0, Blocker())
"""
USE = """
from app.worker.library.without_telemetry import leave_out_telemetry
leave_out_telemetry()
leave_out_telemetry()
import chromadb
from chromadb.config import Settings
settings = Settings(anonymized_telemetry=False, is_persistent=True)
client = chromadb.PersistentClient(path=sys.argv[1], settings=settings)
found = client.get_or_create_collection("chunks", embedding_function=None)
found.add(ids=["1", "2"], embeddings=[[1.0, 0.0], [0.0, 1.0]])
print(found.count(), found.query(query_embeddings=[[0.1, 0.9]], n_results=1, include=[])["ids"])
from opentelemetry import trace
import opentelemetry.sdk.trace.export as export
try:
    trace.get_tracer("x")
except RuntimeError as error:
    print(error)
try:
    export.SomethingNew
except AttributeError as error:
    print(error)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("grpc", "kubernetes", "google")))
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=False)


def test_chroma_adds_and_queries_without_it(tmp_path: Path) -> None:
    done = python(WITHOUT + USE, str(tmp_path / "index é"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "2 [['2']]",
        "Chroma tried to use its telemetry, which this program leaves out",
        "opentelemetry.sdk.trace.export is left out and has no SomethingNew",
        "[]",
    ]


def test_without_the_stand_ins_chroma_would_not_start() -> None:
    """So the test above can fail."""
    done = python(WITHOUT + "import chromadb")
    assert done.returncode != 0
    assert "opentelemetry" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("endpoint", "x")])
def test_what_is_left_out_refuses_to_be_used(arguments: tuple[str, ...]) -> None:
    with pytest.raises(RuntimeError, match="leaves out"):
        LeftOut(*arguments)


def chroma_dir() -> Path:
    spec = importlib.util.find_spec("chromadb")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def imports_of(path: Path) -> dict[str, set[str]]:
    """Give the names that a module takes from OpenTelemetry when it is imported, by module."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("opentelemetry"):
            found.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("opentelemetry"):
                    found.setdefault(alias.name, set())
    return found


def uses_of_trace(path: Path) -> set[str]:
    """Give the attributes of `opentelemetry.trace` that a module names."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "trace"
    }


def test_the_stand_ins_name_exactly_what_chroma_takes() -> None:
    path = chroma_dir() / "telemetry" / "opentelemetry" / "__init__.py"
    stand_ins = {name: set(attributes) for name, attributes in NAMES.items()}
    of_trace = stand_ins.pop("opentelemetry.trace")
    assert imports_of(path) == stand_ins
    assert of_trace == uses_of_trace(path)


def test_the_rest_of_the_embedded_chroma_takes_nothing_from_it() -> None:
    """What else imports OpenTelemetry belongs to Chroma's server or to its clients over a network."""
    others = {
        path.relative_to(chroma_dir()).as_posix()
        for path in chroma_dir().rglob("*.py")
        if "test" not in path.parts and imports_of(path)
    }
    assert others == {
        "execution/executor/distributed.py",
        "proto/utils.py",
        "server/fastapi/__init__.py",
        "telemetry/opentelemetry/__init__.py",
        "telemetry/opentelemetry/fastapi.py",
        "telemetry/opentelemetry/grpc.py",
    }
