"""What goes into the frozen program and what stays out; read by h2ogpt.spec."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path

# Nothing of these may be in any program: tests and tools, servers, telemetry, other engines, other toolkits.
NOWHERE = [
    "IPython",
    "PyInstaller",
    "_pytest",
    "fastapi",
    "fsspec",
    "google",
    "grpc",
    "hf_xet",
    "huggingface_hub",
    "hypothesis",
    "importlinter",
    "kubernetes",
    "matplotlib",
    "mypy",
    "onnx",
    "opentelemetry",
    "pandas",
    "pip",
    "posthog",
    "pydoc",
    "pytest",
    "readline",  # the library behind it is GPL-3.0, and no program here asks for lines
    "requests",
    "rich",
    "safetensors",
    "scipy",
    "scripts",
    "sentence_transformers",
    "setuptools",
    "sklearn",
    "starlette",
    "sympy",
    "tests",
    "tkinter",
    "torch",
    "transformers",
    "uvicorn",
    "uvloop",
    "watchfiles",
    "wheel",
    "_distutils_hack",
    "ensurepip",
    "lib2to3",
    "turtledemo",
    "urllib3",
]
_ENGINES = [
    "apsw",
    "av",
    "chromadb",
    "ctranslate2",
    "ctransformers",
    "docx",
    "faster_whisper",
    "llama_cpp",
    "lxml",
    "numpy",
    "onnxruntime",
    "openpyxl",
    "piper",
    "pptx",
    "pymupdf",
    "fitz",
    "sounddevice",
    "tokenizers",
]
_QT = ["PySide6", "shiboken6", "qasync"]
# Pillow decodes the images that are attached to questions: PNG, JPEG, WebP, GIF, BMP and TIFF. Other formats
# with large libraries behind them stay out.
_PICTURES = ["PIL._avif", "PIL._imagingcms", "PIL._imagingft", "PIL._imagingtk", "PIL.ImageQt"]
# Of the voice packages: converters and trainers, servers, what downloads, and languages whose packages are
# not here (app/worker/voice/left_out.py).
_VOICE = [
    "av.__main__",
    "ctranslate2.converters",
    "piper.__main__",
    "piper.audio_playback",
    "piper.download_voices",
    "piper.g2pw_onnx",
    "piper.hebrew",
    "piper.http_server",
    "piper.patch_voice_with_alignment",
    "piper.phonemize_chinese",
    "piper.phonemize_hebrew",
    "piper.phonemize_japanese",
    "piper.phonemize_thai",
    "piper.train",
]

EXCLUDED = {
    "console": [*NOWHERE, *_ENGINES, *_QT, "PIL", "app.ui", "app.host", "app.worker"],
    "window": [*NOWHERE, *_ENGINES, "PIL", "app.cli", "app.host", "app.worker"],
    # ctransformers: four of its files and its libraries are added later (scripts/package/staging.py); the
    # rest of it would bring a client of a model hub.
    "worker": [*NOWHERE, *_QT, *_PICTURES, *_VOICE, "ctransformers", "app.ui", "app.cli", "app.client"],
}
"""For each program, the modules that may not be in it."""

# Chroma names its parts in settings, as text. Only the embedded client's are here.
# Source: `chromadb/config.py` and `chromadb/api/rust.py` of chromadb 1.5.9.
_CHROMA = [
    "chromadb",
    "chromadb.api.rust",
    "chromadb.telemetry.product.posthog",
    "chromadb_rust_bindings",
]

# Beside what is excluded above as modules: files that packages bring along and this program does not use.
UNWANTED_FILES = (
    # Qt beyond Core, Gui, Widgets, Svg, DBus: touch keyboards, QML and what it draws with
    "*Qt6Qml*",
    "*Qt6Quick*",
    "*Qt6VirtualKeyboard*",
    "*Qt6Network*",
    "*Qt6Pdf*",
    "*Qt6EglFS*",
    "*Qt6EglFs*",
    "*PySide6/QtNetwork*",
    "*Qt6WaylandCompositor*",
    "*qtvirtualkeyboard*",
    "*plugins/egldeviceintegrations/*",
    "*plugins/generic/*",
    "*plugins/networkinformation/*",
    "*plugins/tls/*",
    "*plugins/platforms/*eglfs*",
    "*plugins/platforms/*linuxfb*",
    "*plugins/platforms/*minimal*",
    "*plugins/platforms/*vkkhrdisplay*",
    "*plugins/platforms/*vnc*",
    "*plugins/platforms/*webgl*",
    "*plugins/platforminputcontexts/*virtualkeyboard*",
    "*plugins/imageformats/*pdf*",
    "*plugins/imageformats/*icns*",
    "*plugins/imageformats/*tga*",
    "*plugins/imageformats/*tiff*",
    "*plugins/imageformats/*wbmp*",
    "*PySide6/Qt/qml/*",
    "*PySide6/Qt/translations/qt_help_*",
    "*PySide6/Qt/translations/qtdeclarative_*",
    "*PySide6/Qt/translations/qtmultimedia_*",
    # the engine comes from its own build, once (scripts/package/staging.py)
    "llama_cpp/lib/*",
    "lib/*",
    "libllama*",
    "libggml*",
    "libmtmd*",
    # a Linux system brings its own, and its graphics drivers need exactly that one
    "libstdc++.so*",
    "libgcc_s.so*",
    # test data and headers
    "*/tests/*",
    "*/test_data/*",
    "*.pyi",
    "*.h",
    "*.pxd",
)

# Pronunciation of all languages, and the model that puts vowels into Arabic. That for Hebrew (21 MB) stays
# out with the other languages that eSpeak NG does not pronounce: the voice worker takes no such voices.
_PIPER_DATA = ["espeak-ng-data/**", "tashkeel/*.json", "tashkeel/*.onnx"]


def is_wanted(destination: str) -> bool:
    """Whether a file may go into the program.

    Args:
        destination: its path in the program's folder.
    """
    path = destination.replace("\\", "/")
    return not any(fnmatch.fnmatchcase(path, pattern) for pattern in UNWANTED_FILES)


def hidden_imports(program: str) -> list[str]:
    """Return the modules that a program loads by name, which an analysis of imports cannot see."""
    from PyInstaller.utils.hooks import collect_submodules

    if program == "console":
        return list(collect_submodules("app.cli"))
    if program == "window":
        return ["PySide6.QtSvg", *collect_submodules("app.ui")]
    found = [*collect_submodules("app.host"), *collect_submodules("app.worker"), *_CHROMA]
    readers = ["charset_normalizer.md", "lxml.html", "openpyxl", "pptx", "docx", "striprtf.striprtf"]
    voice = ["faster_whisper", "piper", "sounddevice", "_cffi_backend"]
    return [*found, *readers, *voice, *collect_submodules("encodings")]


def data_files(program: str, top: Path) -> list[tuple[str, str]]:
    """Return the files that a program reads beside its modules, as (source, folder in the program)."""
    from PyInstaller.utils.hooks import collect_data_files

    resources = top / "resources"
    found: list[tuple[str, str]] = [
        (str(resources / name), f"resources/{name}") for name in ("icons", "sample")
    ]
    found.append((str(resources / "embedding_reference.json"), "resources"))
    found += [
        (str(resources / "models" / name), "resources/models")
        for name in ("catalogue.json", "catalogue.schema.json")
    ]
    if (resources / "translations").is_dir():
        found.append((str(resources / "translations"), "resources/translations"))
    if program == "worker":
        found += collect_data_files("chromadb", includes=["**/*.sql"])
        found += collect_data_files("faster_whisper", includes=["assets/*.onnx"])
        found += collect_data_files("piper", includes=_PIPER_DATA)
    return found


def program_icon(top: Path) -> str | None:
    """Return the icon for the executables, where the system takes one and it was made."""
    name = {"win32": "h2ogpt.ico", "darwin": "h2ogpt.icns"}.get(sys.platform)
    path = top / "build" / "icons" / name if name else None
    return str(path) if path is not None and path.is_file() else None


def windows_version(top: Path) -> str:
    """Write what Windows shows of the executables (their properties), and return the file's path."""
    from scripts.package import windows_version
    from scripts.package.bundle import version_of

    path = top / "build" / "windows_version.txt"
    windows_version.write(path, version_of(top))
    return str(path)
