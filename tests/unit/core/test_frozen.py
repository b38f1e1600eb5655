"""What the installed program undoes of its bootloader's work."""

import os
import sys

import pytest

from app.core.frozen import clean_environment, code_places, is_frozen, repair_hint

BEFORE = {
    "PATH": "/bin",
    "HOME": "/home/é",
    "LD_LIBRARY_PATH_SOMETHING": "a name that only looks alike",
    "MY_PYI_": "mine",
}


def cleaned(monkeypatch: pytest.MonkeyPatch, **more: str) -> dict[str, str]:
    """Give what is left of these variables."""
    environment = BEFORE | more
    with monkeypatch.context() as context:
        context.setattr(os, "environ", environment)
        clean_environment()
    return environment


def test_whether_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "frozen", raising=False)
    assert is_frozen() is False
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert is_frozen() is True


def test_what_the_bootloader_set_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {"LD_LIBRARY_PATH": "/opt/h2ogpt/_internal", "DYLD_LIBRARY_PATH": "/x", "LIBPATH": "/y"}
    own = {"_PYI_ARCHIVE_FILE": "/opt/h2ogpt/h2ogpt", "_PYI_PARENT_PROCESS_LEVEL": "1"}
    assert cleaned(monkeypatch, **paths, **own) == BEFORE


def test_what_stood_there_before_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {
        "LD_LIBRARY_PATH": "/opt/h2ogpt/_internal:/own",
        "LD_LIBRARY_PATH_ORIG": "/own",
        "LIBPATH_ORIG": "",
    }
    assert cleaned(monkeypatch, **more) == BEFORE | {"LD_LIBRARY_PATH": "/own", "LIBPATH": ""}


@pytest.mark.parametrize(
    "name",
    ["GGML_BACKEND_PATH", "LLAMA_CPP_LIB_PATH", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"],
)
def test_what_would_load_foreign_code_is_dropped(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert cleaned(monkeypatch, **{name: "/tmp/planted"}) == BEFORE


def test_a_clean_environment_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cleaned(monkeypatch) == BEFORE


def test_the_next_step_fits_how_the_program_came_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "scripts/run.py" in repair_hint()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert repair_hint() == "Install the program again."


def test_the_code_of_a_frozen_program_is_its_folder_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_places() == ()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", "/opt/program/_internal", raising=False)
    assert code_places() == ("/opt/program/_internal", sys.executable)
