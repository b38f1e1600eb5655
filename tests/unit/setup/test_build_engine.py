"""The installers' engine: its switches, and the Vulkan headers that its GPU plug-in needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import build_engine
from scripts.setup import engine
from scripts.setup.layout import Layout
from scripts.setup.progress import Progress, SetupError
from scripts.setup.system_libraries import Need

QUIET = Progress(quiet=True)
SOURCES = """# made by the installation
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.mark.parametrize(
    ("system", "gpu", "other"),
    [("Linux", "VULKAN", "METAL"), ("Windows", "VULKAN", "METAL"), ("Darwin", "METAL", "VULKAN")],
)
def test_every_processor_and_the_systems_gpu(system: str, gpu: str, other: str) -> None:
    arguments = build_engine.portable_arguments(system)
    assert f"-DGGML_{gpu}=ON" in arguments
    assert not [item for item in arguments if other in item]
    for switch in ("-DGGML_NATIVE=OFF", "-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON"):
        assert switch in arguments


def headers(folder: Path, text: str) -> Path:
    (folder / "vulkan").mkdir(parents=True)
    (folder / "vulkan" / "vulkan_core.h").write_text(text, encoding="utf-8")
    return folder


def test_the_headers_say_their_number(tmp_path: Path) -> None:
    text = (
        "// Version of this file\n#define VK_HEADER_VERSION 309\n\n// Complete version of this file\n"
        "#define VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION(0, 1, 4, VK_HEADER_VERSION)\n"
    )
    assert build_engine.header_version(headers(tmp_path / "a", text)) == 309
    assert build_engine.header_version(headers(tmp_path / "b", "#define VK_OTHER 1\n")) == 0
    assert build_engine.header_version(tmp_path / "none") == 0


def test_sources_of_the_next_release() -> None:
    found = build_engine.next_release_sources(SOURCES)
    assert found.splitlines()[1:] == [
        "Types: deb",
        "URIs: http://mirror.example/debian",
        "Suites: trixie",
        "Components: main contrib",
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
    ]


def test_the_main_paragraph_is_found_wherever_it_stands() -> None:
    first, second = SOURCES.split("\n\n")
    found = build_engine.next_release_sources(f"\n{second}\n \n{first}\n\n")
    assert "Suites: trixie" in found
    assert "security" not in found


@pytest.mark.parametrize(
    "text", [SOURCES.replace("bookworm", "forky"), "", "deb http://mirror.example x main"]
)
def test_an_unknown_release_is_told(text: str) -> None:
    with pytest.raises(SetupError, match="release is not known") as caught:
        build_engine.next_release_sources(text)
    assert "by hand" in caught.value.hint


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A Linux system whose tools are there and whose headers are in a made-up folder."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr(build_engine, "ensure", lambda needs, progress: [])
    monkeypatch.setattr(build_engine, "_SYSTEM_INCLUDE_DIR", tmp_path / "include")
    monkeypatch.delenv("VULKAN_SDK", raising=False)
    return Layout(tmp_path, tmp_path / "venv", tmp_path / "cache")


def version_line(number: int) -> str:
    return f"#define VK_HEADER_VERSION {number}\n"


def test_new_enough_headers_of_the_system_are_taken(layout: Layout) -> None:
    headers(layout.root_dir / "include", version_line(build_engine.MIN_HEADER_VERSION))
    build = build_engine.portable_build(layout, QUIET)
    assert build.arguments == build_engine.portable_arguments("Linux")
    assert build.environment == {}


def test_old_headers_are_fetched_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    headers(layout.root_dir / "include", version_line(build_engine.MIN_HEADER_VERSION - 1))
    fetched: list[Path] = []

    def unpack(packages: tuple[str, ...], root: Path) -> None:
        fetched.append(root)
        headers(root / "usr" / "include", version_line(309))

    monkeypatch.setattr(build_engine, "is_debian", lambda: True)
    monkeypatch.setattr(build_engine, "_unpack_next_release", unpack)
    monkeypatch.setattr(
        build_engine, "_build_with_headers", lambda prefix: engine.EngineBuild(str(prefix), [])
    )
    prefix = layout.cache_dir / "vulkan-headers" / "usr"
    for _ in range(2):
        assert build_engine.portable_build(layout, QUIET).purpose == str(prefix)
    assert fetched == [prefix.parent]


def test_elsewhere_the_sdk_is_asked_for(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_engine, "is_debian", lambda: False)
    with pytest.raises(SetupError, match="too old") as caught:
        build_engine.portable_build(layout, QUIET)
    assert "VULKAN_SDK" in caught.value.hint
    monkeypatch.setenv("VULKAN_SDK", "/opt/vulkan")
    assert build_engine.portable_build(layout, QUIET).environment == {}
    monkeypatch.setattr("platform.system", lambda: "Windows")
    assert "-DGGML_VULKAN=ON" in build_engine.portable_build(layout, QUIET).arguments
    monkeypatch.delenv("VULKAN_SDK")
    with pytest.raises(SetupError, match="Vulkan SDK is not installed"):
        build_engine.portable_build(layout, QUIET)


def test_a_missing_tool_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Need("command", "glslc", "glslc", "compiling the GPU's programs")
    monkeypatch.setattr(build_engine, "ensure", lambda needs, progress: [missing])
    with pytest.raises(SetupError, match="glslc is missing") as caught:
        build_engine.portable_build(layout, QUIET)
    assert "glslc" in caught.value.hint


def test_its_wheel_is_not_that_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements").mkdir()
    for name in ("engine.txt", "engine_build.txt"):
        (tmp_path / "requirements" / name).write_text("pin\n", encoding="utf-8")
    layout = Layout(tmp_path, tmp_path / "venv", tmp_path / "cache")
    portable = engine.EngineBuild("", build_engine.portable_arguments("Linux"))
    assert engine.engine_key(layout, portable) != engine.engine_key(layout)
