"""What stands inside the wheels of packages under licences of its own."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from scripts.package.inside import INSIDE, inside
from scripts.package.sbom import normal
from scripts.setup.layout import REPOSITORY_DIR

# Libraries in the wheels that need no entry: parts of a named project, or told of by their package.
PARTS_OF_OTHERS = ("libav", "libsw", "libhogweed", "libsharpyuv", "libctranslate2", "libgomp")


def files_of(package: str) -> list[str]:
    return [str(file) for file in metadata.distribution(package).files or []]


def test_every_text_is_there() -> None:
    for item in INSIDE:
        path = REPOSITORY_DIR / "resources" / "licences" / item.text
        assert path.is_file() and path.stat().st_size > 200, item
        assert item.package == normal(item.package) and item.licence


@pytest.mark.linux
@pytest.mark.parametrize("package", ["av", "ctranslate2"])
def test_no_library_of_a_wheel_is_forgotten(package: str) -> None:
    """Where a new version of a package carries another library, its licence must be looked up."""
    files = files_of(package)
    libraries = [Path(file).name for file in files if file.startswith(f"{package}.libs/")]
    assert libraries
    found = list(inside(package, files))
    patterns = "|".join(item.pattern for item in found if item.pattern)
    unknown = [
        name
        for name in libraries
        if not name.startswith(PARTS_OF_OTHERS) and not any(part in name for part in patterns.split("|"))
    ]
    assert unknown == []


def test_av_brings_parts_under_the_gpl() -> None:
    found = {
        item.name: item.licence for item in inside("av", ["av.libs/libavcodec-1.so", "av\\libx264-2.dll"])
    }
    assert found == {"FFmpeg": "LGPL-3.0-or-later", "x264": "GPL-2.0-or-later"}


def test_what_has_no_file_of_its_own_comes_with_the_package() -> None:
    assert {item.name for item in inside("piper-tts", [])} == {"eSpeak NG", "libtashkeel"}
    assert {item.name for item in inside("faster-whisper", [])} == {"Silero VAD"}
    assert list(inside("numpy", ["numpy/core.so"])) == []


def test_the_parts_without_source_are_told() -> None:
    files = ["ctranslate2.libs/libctranslate2-a.so.4.8.5"]
    names = {item.name for item in inside("ctranslate2", files)}
    assert names == {"oneDNN", "Intel oneMKL", "NVIDIA CUDA runtime"}
    assert {item.name for item in inside("ctranslate2", ["ctranslate2/libctranslate2.dylib"])} == {"oneDNN"}
    notice = (REPOSITORY_DIR / "NOTICE").read_text(encoding="utf-8")
    for word in ("oneMKL", "CUDA", "x264", "eSpeak NG", "AGPL-3.0", "GPL-3.0"):
        assert word in notice, word
