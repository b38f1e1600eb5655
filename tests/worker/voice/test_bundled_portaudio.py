"""An installed program finds a PortAudio: the system's, else its own with what that needs."""

import ctypes
import ctypes.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.worker.voice.bundled_portaudio import FOLDER, LIBRARIES, offer_own_portaudio


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a program that is frozen, on a system without PortAudio."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: {"m": "libm.so.6"}.get(name))
    (tmp_path / FOLDER).mkdir()
    return tmp_path / FOLDER


def compiled(path: Path, source: str, *needs: Path) -> None:
    """Make a library that needs others by their names alone."""
    code = path.with_suffix(".c")
    code.write_text(source)
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{path.name}", "-o", str(path), str(code)]
    subprocess.run([*command, *map(str, needs)], check=True)
    code.unlink()


def test_from_source_the_search_stays_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ctypes.util.find_library
    offer_own_portaudio()
    assert ctypes.util.find_library is before


@pytest.mark.linux
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not here")
def test_its_own_is_found_with_what_it_needs(folder: Path) -> None:
    database, jack, portaudio = (folder / name for name in LIBRARIES)
    compiled(database, "int h2o_test_database(void) { return 40; }\n")
    compiled(
        jack, "int h2o_test_database(void); int h2o_test_jack(void) { return h2o_test_database() + 1; }\n"
    )
    source = "int h2o_test_jack(void); int h2o_test_sound(void) { return h2o_test_jack() + 1; }\n"
    compiled(portaudio, source, jack)
    offer_own_portaudio()
    found = ctypes.util.find_library("portaudio")
    assert found == str(portaudio)
    assert ctypes.CDLL(found).h2o_test_sound() == 42
    assert ctypes.util.find_library("m") == "libm.so.6" and ctypes.util.find_library("gone") is None


def test_the_systems_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libportaudio.so.2")
    offer_own_portaudio()
    assert ctypes.util.find_library("portaudio") == "libportaudio.so.2"


@pytest.mark.parametrize("content", [None, b"no library"])
def test_one_that_cannot_be_used_is_none(folder: Path, content: bytes | None) -> None:
    if content is not None:
        for name in LIBRARIES:
            (folder / name).write_bytes(content)
    offer_own_portaudio()
    assert ctypes.util.find_library("portaudio") is None
