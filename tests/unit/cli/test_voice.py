"""`h2ogpt transcribe`, `speak` and `voices`: what they ask for, print and write."""

import asyncio
import io
import json
import os
import stat
import sys
import tempfile
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.client import HostClient
from app.core.errors import AppError, FileError
from app.protocol.body import Body
from app.protocol.speech import AudioDevice, AudioDevices, SpeechSegment
from app.protocol.voice import (
    GetVoiceChoices,
    ListAudioDevices,
    SpeakText,
    SpeechModelEntry,
    SpokenText,
    TranscribeFile,
    Transcript,
    TranscriptionProgress,
    VoiceChoices,
)
from tests.unit.cli.conftest import FakeHost

Capture = pytest.CaptureFixture[str]

FIRST = SpeechSegment(start_s=0.0, end_s=2.5, text=" Red & <blue>. ", probability=0.87654)
SECOND = SpeechSegment(start_s=3661.2504, end_s=3662.0, text="Späth.", probability=0.5)
TRANSCRIPT = Transcript(
    text="Red & <blue>. Späth.", language="en", segments=(FIRST, SECOND), seconds=3700.04567
)
STREAM = [
    TranscriptionProgress(segments=(FIRST,), done_s=2.5, total_s=3700.0),
    TranscriptionProgress(segments=(SECOND,), done_s=3662.0, total_s=None),
    TRANSCRIPT,
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_transcript_is_one_json_object(host: FakeHost, capsys: Capture) -> None:
    host.answers[TranscribeFile] = STREAM
    assert main(["transcribe", "talk.mp3", "--json", "--language", "de", "--translate", "--model", "m"]) == 0
    captured = capsys.readouterr()
    value = json.loads(captured.out)
    assert list(value) == ["text", "language", "segments", "seconds"]
    assert value["segments"][0] == {
        "start_s": 0.0,
        "end_s": 2.5,
        "text": " Red & <blue>. ",
        "probability": 0.8765,
    }
    assert value["seconds"] == 3700.046 and captured.err == ""
    path = str(Path("talk.mp3").absolute())
    assert host.requests == [TranscribeFile(path=path, language="de", translate=True, model="m")]


def test_lines_appear_as_they_are_known(
    host: FakeHost, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    host.answers[TranscribeFile] = STREAM
    assert main(["transcribe", "talk.mp3"]) == 0
    assert capsys.readouterr().out == "[00:00] Red & <blue>.\n[01:01:01] Späth.\n"
    shown = terminal.getvalue()
    assert "\rtalk.mp3: 0%" in shown and "talk.mp3: 3662 s" in shown and shown.endswith(" \r")


def test_subtitles(host: FakeHost, capsys: Capture) -> None:
    host.answers[TranscribeFile] = STREAM
    main(["transcribe", "talk.mp3", "--srt"])
    assert capsys.readouterr().out == (
        "1\n00:00:00,000 --> 00:00:02,500\nRed & <blue>.\n\n2\n01:01:01,250 --> 01:01:02,000\nSpäth.\n\n"
    )
    host.n_closed = 0
    main(["transcribe", "talk.mp3", "--vtt"])
    assert capsys.readouterr().out == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nRed &amp; &lt;blue&gt;.\n\n"
        "01:01:01.250 --> 01:01:02.000\nSpäth.\n\n"
    )
    host.n_closed = 0
    assert main(["transcribe", "a.mp3", "b.mp3", "--srt"]) == 1
    assert "one file" in capsys.readouterr().err


def test_one_file_that_fails_does_not_stop_the_others(host: FakeHost, capsys: Capture) -> None:
    def answer(request: TranscribeFile) -> Any:
        if request.path.endswith("bad.mp3"):
            return FileError("audio.damaged", "It is damaged.", "Get it anew.")
        return Transcript(text="", language="", segments=(), seconds=1.0, note="A note.")

    host.answers[TranscribeFile] = answer
    assert main(["transcribe", "bad.mp3", "good.mp3"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "bad.mp3:\ngood.mp3:\nNothing is said in this file.\n"
    assert captured.err == "bad.mp3: It is damaged.\nGet it anew.\ngood.mp3: A note.\n"
    host.n_closed = 0
    assert main(["transcribe", "bad.mp3", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "audio.damaged"


def test_a_host_that_is_gone_ends_it(host: FakeHost, capsys: Capture) -> None:
    host.closed = True
    host.answers[TranscribeFile] = AppError("host.lost", "Lost.")
    assert main(["transcribe", "a.mp3", "b.mp3"]) == 1
    assert len(host.requests) == 1
    host.closed, host.n_closed = False, 0
    host.answers[TranscribeFile] = [SpokenText(sample_rate=1, n_samples=1, voice="odd")]
    assert main(["transcribe", "a.mp3"]) == 1
    assert "without a result" in capsys.readouterr().err


@pytest.fixture
def speaking(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Let the scripted host speak 100 samples."""

    async def call_with_payload(request: Body, payload: bytes = b"") -> tuple[Any, bytes]:
        host.requests.append(request)
        await asyncio.sleep(0)
        assert isinstance(request, SpeakText)
        number = request.first_sentence + 1
        spoken = SpokenText(
            sample_rate=1000, n_samples=100, voice="joe", next_sentence=number, n_sentences=host.n_sentences
        )
        return spoken, bytes([number, 2]) * 100

    monkeypatch.setattr(host, "call_with_payload", call_with_payload, raising=False)
    assert HostClient.call_with_payload is not None
    return host


def test_a_text_becomes_a_sound_file(speaking: FakeHost, capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_text("old")
    assert main(["speak", "Hello.", "--out", str(path), "--voice", "v", "--speed", "1.5"]) == 0
    assert speaking.requests == [SpeakText(text="Hello.", voice="v", speed=1.5, seconds=60)]
    assert capsys.readouterr().out == "out.wav: 0.1 s, spoken by joe\n"
    with wave.open(str(path), "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 1000)
        assert sound.readframes(200) == b"\x01\x02" * 100
    assert [item.name for item in tmp_path.iterdir()] == ["out.wav"]


def test_a_text_from_standard_input(
    speaking: FakeHost, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("One.\n\nTwo.\n"))
    path = tmp_path / "out.wav"
    assert main(["speak", "-", "--out", str(path), "--json"]) == 0
    assert speaking.requests == [SpeakText(text="One.\n\nTwo.", seconds=60)]
    assert json.loads(capsys.readouterr().out) == {
        "path": str(path),
        "seconds": 0.1,
        "sample_rate": 1000,
        "voice": "joe",
    }


def test_a_long_text_is_spoken_in_parts(
    speaking: FakeHost, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    speaking.n_sentences = 3
    path = tmp_path / "out.wav"
    assert main(["speak", "One. Two. Three.", "--out", str(path)]) == 0
    first = SpeakText(text="One. Two. Three.", seconds=60)
    assert speaking.requests == [
        first,
        replace(first, voice="joe", first_sentence=1),
        replace(first, voice="joe", first_sentence=2),
    ]
    assert capsys.readouterr().out == "out.wav: 0.3 s, spoken by joe\n"
    assert "\rout.wav: 33%" in terminal.getvalue() and terminal.getvalue().endswith(" \r")
    with wave.open(str(path), "rb") as sound:
        assert sound.readframes(400) == b"\1\2" * 100 + b"\2\2" * 100 + b"\3\2" * 100


def test_a_failure_in_a_later_part_leaves_the_old_file(
    speaking: FakeHost, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.wav"
    path.write_text("old")
    speaking.n_sentences = 2
    answer = speaking.call_with_payload  # type: ignore[attr-defined]  # the fixture gives it

    async def fails_later(request: SpeakText) -> Any:
        if request.first_sentence:
            raise AppError("worker.died", "The voice part ended.", "Try again.")
        return await answer(request)

    monkeypatch.setattr(speaking, "call_with_payload", fails_later)
    assert main(["speak", "One. Two.", "--out", str(path)]) == 1
    assert "The voice part ended." in capsys.readouterr().err
    assert path.read_text() == "old" and [item.name for item in tmp_path.iterdir()] == ["out.wav"]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
def test_only_an_ordinary_file_is_replaced(speaking: FakeHost, capsys: Capture, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    for place, reason in (
        (f"{tmp_path}/pipe.wav", "is no ordinary file"),
        (f"{tmp_path}/folder.wav", "is a folder"),
        (f"{tmp_path}/.", "is a folder"),
        ("/dev/null", "ends with .wav"),
        ("-", "ends with .wav"),
        (f"{tmp_path}/out.mp3", "ends with .wav"),
        (f"{tmp_path}/out.wav/", "ends with .wav"),
    ):
        speaking.n_closed = 0
        assert main(["speak", "Hello.", "--out", place]) == 1
        assert reason in capsys.readouterr().err
    assert speaking.requests == [] and (tmp_path / "pipe.wav").is_fifo()
    real = tmp_path / "real.wav"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.wav").symlink_to(real)
    speaking.n_closed = 0
    assert main(["speak", "Hello.", "--out", str(tmp_path / "link.wav")]) == 0
    assert (tmp_path / "link.wav").is_symlink() and real.read_bytes().startswith(b"RIFF")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    speaking.n_closed = 0
    mask = os.umask(0o022)
    try:
        assert main(["speak", "Hello.", "--out", str(tmp_path / "new.wav")]) == 0
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new.wav").stat().st_mode) == 0o644


def test_a_place_that_cannot_be_written_is_told(
    speaking: FakeHost, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["speak", "Hello.", "--out", str(tmp_path / "no" / "out.wav")]) == 1
    assert "There is no folder" in capsys.readouterr().err and speaking.requests == []

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    speaking.n_closed = 0
    assert main(["speak", "Hello.", "--out", str(tmp_path / "out.wav")]) == 1
    assert "No space left" in capsys.readouterr().err and list(tmp_path.iterdir()) == []

    def no_file(*arguments: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", no_file)
    speaking.n_closed = 0
    assert main(["speak", "Hello.", "--out", str(tmp_path / "out.wav")]) == 1
    assert "Permission denied" in capsys.readouterr().err


CHOICES = VoiceChoices(
    speech_models=(
        SpeechModelEntry(
            name="tiny", title="Whisper tiny (English)", languages=("en",), size_bytes=75_000_000
        ),
        SpeechModelEntry(name="base", title="Whisper base", multilingual=True),
    ),
    voices=(SpeechModelEntry(name="joe", title="Joe, English"),),
    speech_model="tiny",
    voice="joe",
)


def test_what_is_here_is_listed(host: FakeHost, capsys: Capture) -> None:
    host.answers[GetVoiceChoices] = CHOICES
    assert main(["voices"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == ["*", "speech", "tiny", "75.0", "MB", "Whisper", "tiny", "(English)"]
    assert "Whisper base (many languages)" in out[2] and out[3].startswith("*  voice")
    host.answers[GetVoiceChoices] = VoiceChoices(speech_models=(), voices=())
    host.n_closed = 0
    main(["voices"])
    assert capsys.readouterr().out == "No speech model and no voice is here.\n"


def test_devices_are_listed_too(host: FakeHost, capsys: Capture) -> None:
    host.answers[GetVoiceChoices] = CHOICES
    host.answers[ListAudioDevices] = AudioDevices(
        inputs=(AudioDevice(id="m", name="Mic", is_default=True), AudioDevice(id="n", name="Other")),
        outputs=(),
    )
    main(["voices", "--devices"])
    assert capsys.readouterr().out.endswith("\nMicrophones\n* Mic\n  Other\n\nLoudspeakers\n  none\n")
    host.n_closed = 0
    main(["voices", "--devices", "--json"])
    value = json.loads(capsys.readouterr().out)
    assert value["voice"] == "joe" and value["devices"]["inputs"][0]["name"] == "Mic"
    host.n_closed = 0
    main(["voices", "--json"])
    assert "devices" not in json.loads(capsys.readouterr().out)
    host.n_closed = 0
    host.answers[ListAudioDevices] = AudioDevices(
        inputs=(), outputs=(), problem="No sound.", hint="Start it."
    )
    main(["voices", "--devices"])
    assert capsys.readouterr().out.endswith("\nNo sound.\nStart it.\n")
