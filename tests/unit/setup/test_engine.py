"""The engine: built for this processor and no other, cached, and tried before it counts."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from scripts.setup import engine
from scripts.setup.layout import REPOSITORY_DIR, Layout
from scripts.setup.model_pins import CHAT_MODEL
from scripts.setup.progress import Progress, SetupError


def test_only_what_the_processor_has_is_switched_on() -> None:
    arguments = engine.cmake_arguments({"sse4_2", "avx"}, "x86_64")
    assert "-DGGML_NATIVE=OFF" in arguments
    assert "-DGGML_SSE42=ON" in arguments
    assert "-DGGML_AVX=ON" in arguments
    for switch in ("AVX2", "FMA", "F16C", "BMI2"):
        assert f"-DGGML_{switch}=OFF" in arguments


def test_other_processors_get_no_x86_switches() -> None:
    assert not [item for item in engine.cmake_arguments(set(), "arm64") if "AVX" in item]


def test_flags_are_read_from_cpuinfo() -> None:
    text = "processor\t: 0\nflags\t\t: fpu sse4_2 avx f16c\nbugs\t: none\n"
    assert engine._linux_flags(text) == {"fpu", "sse4_2", "avx", "f16c"}
    assert engine._linux_flags("Features\t: neon\n") == set()


def test_compiling_says_how_far_it_is_now_and_then() -> None:
    stream, log, now = io.StringIO(), io.StringIO(), [0.0]
    progress = engine.CompileProgress(Progress(stream), log, lambda: now[0])
    for seconds, line in (
        (1, "[1/136] c++"),
        (16, "  [20/136] c++"),
        (17, "[21/136]"),
        (40, "cmake says"),
        (41, "[90/136]"),
    ):
        now[0] = seconds
        progress.read(line)
    assert "cmake says" in log.getvalue()
    assert stream.getvalue().split("\n")[:2] == [
        "    compiled 20 of 136 parts",
        "    compiled 90 of 136 parts",
    ]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    requirements_dir = tmp_path / "requirements"
    requirements_dir.mkdir()
    for name in ("engine.txt", "engine_build.txt"):
        (requirements_dir / name).write_text("pin\n", encoding="utf-8")
    return Layout(tmp_path, tmp_path / ".venv", tmp_path / "cache")


def test_the_key_follows_source_and_processor(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine.engine_key(layout)
    assert engine.engine_key(layout) == before
    monkeypatch.setattr(engine, "cpu_features", lambda: frozenset({"made-up"}))
    monkeypatch.setattr(engine, "cmake_arguments", lambda features: sorted(features))
    assert engine.engine_key(layout) != before
    monkeypatch.undo()
    (layout.requirements_dir / "engine.txt").write_text("another pin\n", encoding="utf-8")
    assert engine.engine_key(layout) != before


def test_a_cached_wheel_is_not_compiled_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel_path = layout.cache_dir / "wheels" / engine.engine_key(layout) / "engine.whl"
    wheel_path.parent.mkdir(parents=True)
    wheel_path.touch()
    monkeypatch.setattr(engine, "require_compiler", lambda progress: pytest.fail("compiled again"))
    assert engine.built_wheel(layout, Progress(quiet=True)) == wheel_path


def test_a_failed_compilation_names_the_log(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(
        layout: Layout, work_dir: Path, build: engine.EngineBuild, progress: engine.CompileProgress
    ) -> Path:
        progress.read("fatal error: no space left\n")
        raise SetupError("Compiling the engine failed")

    monkeypatch.setattr(engine, "require_compiler", lambda progress: None)
    monkeypatch.setattr(engine, "_compile", fail)
    with pytest.raises(SetupError, match="Compiling the engine failed") as caught:
        engine.built_wheel(layout, Progress(quiet=True))
    log_path = layout.cache_dir / "wheels" / "build.log"
    assert str(log_path) in caught.value.hint
    assert "no space left" in log_path.read_text(encoding="utf-8")
    assert [path.name for path in log_path.parent.iterdir()] == ["build.log"]


def test_a_wheel_that_fails_its_test_is_thrown_away(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel_path = layout.cache_dir / "wheels" / engine.engine_key(layout) / "engine.whl"
    wheel_path.parent.mkdir(parents=True)
    wheel_path.touch()
    monkeypatch.setattr(engine, "pip", lambda *arguments: None)

    def fail(python: Path, model_path: Path) -> str:
        raise SetupError("it was ended by signal 11")

    monkeypatch.setattr(engine, "self_test", fail)
    with pytest.raises(SetupError, match="signal 11"):
        engine.install(layout, Path("model.gguf"), Progress(quiet=True))
    assert not wheel_path.exists()


def fake_python(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="uses a shell script as a stand-in")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("kill -SEGV $$", "ended by signal 11"),
        ("echo garbage; exit 3", "it wrote 'garbage'"),
        ("echo 'cannot load' >&2; exit 1", "cannot load"),
    ],
)
def test_a_broken_engine_is_told_in_words(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(SetupError, match=words):
        engine.self_test(fake_python(tmp_path, body), Path("model.gguf"))


def test_the_installed_engine_writes_the_expected_words() -> None:
    model_path = REPOSITORY_DIR / "resources" / "models" / CHAT_MODEL.files[0].target
    assert engine.self_test(Path(sys.executable), model_path).startswith("Rome")
