"""Speaking and transcribing by the command line, with real processes and the real starter models."""

import json
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.paths import starter_models_dir

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not list(starter_models_dir().glob("speech-to-text/*/model.bin"))
        or not list(starter_models_dir().glob("text-to-speech/*/*.onnx")),
        reason="the starter models of voice are not here",
    ),
]

TEXT = """# The pump

The **red** pump stands in the hall [1]. It was bought in the summer of last year.

```python
secret = 1
```
"""
TIMEOUT_S = 180


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder; a terminal chat that waits keeps its host alive."""
    data_dir = tmp_path_factory.mktemp("voice") / "data"
    holder = subprocess.Popen(
        command(data_dir, "chat"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment()
    )
    yield data_dir
    assert holder.stdin is not None
    holder.stdin.close()
    assert holder.wait(TIMEOUT_S) == 0


def command(data_dir: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "app.cli", *arguments, "--data-dir", str(data_dir)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def run(data_dir: Path, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command(data_dir, *arguments), capture_output=True, timeout=TIMEOUT_S, text=True, env=environment()
    )
    assert "Traceback" not in done.stderr and done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def spoken(data_dir: Path) -> Path:
    """The text above, spoken."""
    path = data_dir.parent / "spoken é.wav"
    value = json.loads(run(data_dir, "speak", TEXT, "--out", str(path), "--json").stdout)
    assert value["path"] == str(path) and value["voice"]
    with wave.open(str(path), "rb") as sound:
        assert sound.getsampwidth() == 2 and sound.getnchannels() == 1
        assert abs(sound.getnframes() / sound.getframerate() - value["seconds"]) < 0.01
    return path


def transcript(data_dir: Path, *arguments: str) -> dict[str, Any]:
    (line,) = run(data_dir, "transcribe", *arguments, "--json").stdout.splitlines()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def test_what_was_spoken_is_understood_again(data_dir: Path, spoken: Path) -> None:
    value = transcript(data_dir, str(spoken))
    assert list(value) == ["text", "language", "segments", "seconds"] and value["language"] == "en"
    text = value["text"].casefold()
    for words in ("red pump", "in the hall", "summer of last year", "python"):
        assert words in text
    assert "secret" not in text and "[1]" not in text and "*" not in text
    ends = [segment["end_s"] for segment in value["segments"]]
    assert ends == sorted(ends) and 3.0 < ends[-1] <= value["seconds"] < 30.0
    assert all(0.0 < segment["probability"] <= 1.0 for segment in value["segments"])


def test_subtitles_and_a_file_without_sound(data_dir: Path, spoken: Path) -> None:
    srt = run(data_dir, "transcribe", str(spoken), "--srt").stdout
    assert srt.startswith("1\n00:00:0") and " --> " in srt
    silent = data_dir.parent / "silent.wav"
    silent.write_bytes(b"not a sound at all" * 100)
    done = run(data_dir, "transcribe", str(silent), "--json", code=1)
    error = json.loads(done.stdout)["error"]
    assert error["code"].startswith(("audio.", "file.")) and error["message"] and error["hint"]


def test_a_recording_enters_the_library_and_is_found(data_dir: Path, spoken: Path) -> None:
    (line,) = run(data_dir, "ingest", str(spoken), "--json").stdout.splitlines()
    assert json.loads(line)["state"] == "ready"
    hits = json.loads(run(data_dir, "search", "red pump in the hall", "--json").stdout)["hits"]
    assert hits and hits[0]["path"] == str(spoken) and "pump" in hits[0]["text"].casefold()


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks the other language")
def test_another_language_is_not_written_down_silently(data_dir: Path) -> None:
    path = data_dir.parent / "german.wav"
    german = (
        "Guten Morgen, meine Damen und Herren. Heute sprechen wir über das Wetter in den Bergen und über die "
        "Geschichte der Stadt. Es wird ein schöner Tag, und wir fahren mit dem Zug nach München."
    )
    subprocess.run(["espeak-ng", "-v", "de", german, "-w", str(path)], check=True)
    doubtful = run(data_dir, "transcribe", str(path))
    assert "knows English only" in doubtful.stderr and "multilingual" in doubtful.stderr
    refused = run(data_dir, "transcribe", str(path), "--language", "de", code=1)
    assert "English only" in refused.stderr


def test_models_and_devices_are_listed(data_dir: Path) -> None:
    value = json.loads(run(data_dir, "voices", "--devices", "--json").stdout)
    assert value["speech_model"] and value["voice"]
    assert value["devices"]["problem"] or isinstance(value["devices"]["inputs"], list)
