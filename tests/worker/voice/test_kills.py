"""A worker that is killed while it records or understands leaves no sound on the disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
PROGRAM = """
import sys
from app.protocol.speech import Record, Recorded
from app.worker.voice.recording import Recorder
from tests.worker.voice.hearing import OPTIONS, Loudspeaker, Microphone, Sent, quiet, understanding

class Told(Sent):
    def _take(self, message):
        super()._take(message)
        print(message.body.get("phase", "text"), flush=True)

request = Record(options=OPTIONS, max_seconds=float(sys.argv[1]))
noise = quiet(30.0, level=0.05)
told = Told(request)
Recorder(Microphone(noise, pace=1.0), understanding(), Loudspeaker()).record(request, told.job)
told.result(Recorded, 60.0)
"""


@pytest.mark.parametrize(("max_seconds", "phase"), [("60", "listening"), ("0.3", "transcribing")])
def test_nothing_is_left_after_a_kill(tmp_path: Path, max_seconds: str, phase: str) -> None:
    """Home, working and temporary folder are as empty as before, whenever the kill comes."""
    home = tmp_path / "home"
    home.mkdir()
    folders = dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(home))
    environment = os.environ | folders | {"PYTHONPATH": str(TOP), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, max_seconds],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=home,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = iter(process.stdout)
        assert phase in (line.strip() for line in told)
        process.kill()
    assert list(home.rglob("*")) == []
