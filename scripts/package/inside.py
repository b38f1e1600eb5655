"""Libraries, models and data that stand inside the wheels of packages, with licences of their own.

A package's own words tell its own licence only: PyAV's wheel says BSD-3-Clause and carries FFmpeg with x264.

Source: the wheels' lists of files and `sboms/auditwheel.cdx.json`, FFmpeg's own statement of how it was built
    (`av._core.library_meta`), the projects' licence files; `resources/licences/{ffmpeg,ctranslate2}.txt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Inside:
    """Something inside a package.

    Attributes:
        package: Its normal name.
        name: Of what is inside it.
        licence: SPDX expression, or the licence's name.
        text: Name of its text in ``resources/licences``.
        pattern: Of the file that shows that it is there; empty: it always comes with the package.
        kind: As ``sbom.Part.kind``.
    """

    package: str
    name: str
    licence: str
    text: str
    pattern: str = ""
    kind: str = "library"


def _of_av(*rows: tuple[str, str, str]) -> tuple[Inside, ...]:
    return tuple(Inside("av", name, licence, "ffmpeg.txt", pattern) for name, licence, pattern in rows)


_EITHER_GNU = "LGPL-3.0-or-later OR GPL-2.0-or-later"
INSIDE = (
    *_of_av(
        ("FFmpeg", "LGPL-3.0-or-later", r"libavcodec|avcodec-"),
        ("x264", "GPL-2.0-or-later", r"libx264"),
        ("x265", "GPL-2.0-or-later", r"libx265"),
        ("LAME", "LGPL-2.0-or-later", r"libmp3lame"),
        ("GnuTLS", "LGPL-2.1-or-later", r"libgnutls"),
        ("Nettle", _EITHER_GNU, r"libnettle"),
        ("GMP", _EITHER_GNU, r"libgmp"),
        ("libunistring", _EITHER_GNU, r"libunistring"),
        ("alsa-lib", "LGPL-2.1-or-later", r"libasound"),
        ("OpenCORE AMR", "Apache-2.0", r"libopencore"),
        ("SVT-AV1", "BSD-3-Clause-Clear", r"libSvtAv1"),
        ("dav1d", "BSD-2-Clause", r"libdav1d"),
        ("Opus", "BSD-3-Clause", r"libopus"),
        ("libvpx", "BSD-3-Clause", r"libvpx"),
        ("libwebp", "BSD-3-Clause", r"libwebp"),
        ("libvpl", "MIT", r"libvpl"),
        ("libdrm", "MIT", r"libdrm"),
        ("libxcb", "MIT", r"libxcb"),
        ("libXau", "MIT", r"libXau"),
    ),
    Inside("ctranslate2", "oneDNN", "Apache-2.0", "Apache-2.0.txt"),
    Inside(
        "ctranslate2",
        "Intel oneMKL",
        "Intel Simplified Software License",
        "ctranslate2.txt",
        r"ctranslate2\.libs/.*\.so|ctranslate2/.*\.dll",
    ),
    Inside(
        "ctranslate2",
        "NVIDIA CUDA runtime",
        "NVIDIA CUDA Toolkit EULA",
        "ctranslate2.txt",
        r"ctranslate2\.libs/.*\.so|ctranslate2/.*\.dll",
    ),
    Inside("faster-whisper", "Silero VAD", "MIT", "silero-vad.txt", kind="machine-learning-model"),
    Inside("piper-tts", "eSpeak NG", "GPL-3.0-or-later", "GPL-3.0.txt"),
    Inside("piper-tts", "libtashkeel", "MIT", "libtashkeel.txt", kind="machine-learning-model"),
)


def inside(package: str, files: Iterable[str]) -> Iterator[Inside]:
    """Yield what is inside a package.

    Args:
        package: Its normal name.
        files: The paths of its files that the program takes.
    """
    own = [item for item in INSIDE if item.package == package]
    if not own:
        return
    paths = [path.replace("\\", "/") for path in files]
    for item in own:
        if not item.pattern or any(re.search(item.pattern, path) for path in paths):
            yield item
