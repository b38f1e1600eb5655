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


_IN_A_PROGRAM = """
import ctypes, ctypes.util, sys
sys.frozen, sys._MEIPASS = True, sys.argv[1]
ctypes.util.find_library = lambda name: {"m": "libm.so.6"}.get(name)
from app.worker.voice.bundled_portaudio import offer_own_portaudio
offer_own_portaudio()
found = ctypes.util.find_library("portaudio")
print(found, ctypes.CDLL(found).h2o_test_sound(), *map(ctypes.util.find_library, ("m", "gone")))
"""
"""In a process of its own: a library stays loaded, and would be what other tests play their sound with."""


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
    command = [sys.executable, "-c", _IN_A_PROGRAM, str(folder.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(portaudio), "42", "libm.so.6", "None"]


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
