"""The voice worker prepares before its parts, and so the engines, are imported."""

import sys
from types import ModuleType

import pytest

from app.worker.__main__ import MODULES
from app.worker.voice import start


def test_it_prepares_first_and_passes_its_arguments_on(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    fake = ModuleType("app.worker.voice.main")

    def serve(argv: list[str]) -> int:
        done.append(argv)
        return 3

    fake.main = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "app.worker.voice.main", fake)
    monkeypatch.setattr(start, "leave_out_downloads", lambda: done.append("left out"))
    monkeypatch.setattr(start, "offer_own_portaudio", lambda: done.append("offered"))
    assert start.main(["try-gpu", "folder"]) == 3
    assert done == ["left out", "offered", ["try-gpu", "folder"]]
    assert MODULES["voice"] == start.__name__
