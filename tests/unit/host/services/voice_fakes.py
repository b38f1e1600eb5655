"""Workers for sound and speech that do as a test says, in this process."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

from app.core.errors import AppError, WorkerError
from app.core.settings import Settings, updated
from app.host.services.ports import Cancelled
from app.host.supervision import Worker
from app.protocol.audio import AudioInfo, AudioPiece, CloseAudio, OpenAudio, ReadAudio
from app.protocol.body import Body, to_json, to_message
from app.protocol.envelope import Message
from app.protocol.speech import (
    AudioDevice,
    AudioDevices,
    CloseTranscription,
    FeedTranscription,
    FindAudioDevices,
    FinishRecording,
    MicrophoneState,
    OpenTranscription,
    PartialTranscript,
    PauseSound,
    Play,
    Record,
    Recorded,
    Say,
    SetVolume,
    Sound,
    SoundPlayed,
    SoundPosition,
    SoundStarted,
    SpeechSegment,
    StopSound,
    Synthesize,
    TranscriptionOpened,
    TranscriptPart,
)
from app.protocol.system import DONE, Empty
from tests.unit.host.conftest import Recorder

ENGLISH_TOKENS = 51_864


class FakeSettings:
    """Settings that a test changes."""

    def __init__(self, **values: Any) -> None:
        self.values = Settings(**values)
        self.listeners: list[Callable[[Settings], None]] = []

    def current(self) -> Settings:
        return self.values

    def listen(self, on_change: Callable[[Settings], None]) -> None:
        self.listeners.append(on_change)

    def change(self, **values: Any) -> None:
        self.values = updated(self.values, values)
        for on_change in self.listeners:
            on_change(self.values)


class ScriptedWorker(Worker):
    """A worker whose answers are given by a method of this object, by the type of the request.

    Attributes:
        requests: what was asked, in order.
        up: whether its process runs.
    """

    def __init__(self, kind: str, script: dict[type[Body], Any]) -> None:
        super().__init__(kind, ["nothing"], Path("nothing.log"), Recorder())
        self.script = script
        self.requests: list[Any] = []
        self.up = True

    @property
    def is_ready(self) -> bool:
        return self.up

    async def messages(
        self, request: Body, payload: bytes = b"", activity: str = "", patient: bool = False
    ) -> AsyncGenerator[Message, None]:
        self.requests.append(request)
        await asyncio.sleep(0)
        stream = self.script[type(request)](request, payload)
        if not isinstance(stream, AsyncIterator):
            stream = _once(stream)
        async for body, data in stream:
            if isinstance(body, type(request).RESULT):  # type: ignore[attr-defined]
                yield Message(DONE, to_json(body), payload=data)
                return
            yield to_message(body, payload=data)

    def of(self, kind: type[Body]) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]


async def _once(result: Any) -> AsyncIterator[tuple[Body, bytes]]:
    if isinstance(result, Exception):
        raise result
    yield result if isinstance(result, tuple) else (result, b"")


def died(kind: str) -> WorkerError:
    return WorkerError("worker.died", f"The {kind} process crashed.", "Try again.")


class Loudspeaker:
    """Says one thing after another; a test holds and releases each.

    Attributes:
        holding: what is heard goes on until a test says otherwise.
        heard: what was said to its end.
        fails_at: text at which it fails.
    """

    def __init__(self) -> None:
        self.holding, self.paused = False, False
        self.heard: list[str] = []
        self.line: list[object] = []
        self.stopped: set[object] = set()
        self.fails_at = ""

    async def say(self, request: Say, payload: bytes) -> AsyncIterator[tuple[Body, bytes]]:
        if request.text == self.fails_at:
            raise died("voice")
        async for body in self._sound(request.text):
            yield body, b""

    async def play(self, request: Play, payload: bytes) -> AsyncIterator[tuple[Body, bytes]]:
        async for body in self._sound(f"{len(payload)} bytes"):
            yield body, b""

    async def _sound(self, name: str) -> AsyncIterator[Body]:
        turn = object()
        self.line.append(turn)
        try:
            while self.line[0] is not turn:
                await self._wait(turn)
            yield SoundStarted(seconds=1.0)
            yield SoundPosition(seconds=0.5)
            while self.holding or self.paused:
                await self._wait(turn)
            self.heard.append(name)
            yield SoundPlayed(seconds=1.0)
        finally:
            if turn in self.line:
                self.line.remove(turn)

    async def _wait(self, turn: object) -> None:
        await asyncio.sleep(0.001)
        if turn in self.stopped:
            raise Cancelled({})

    def stop(self, request: Any = None, payload: bytes = b"") -> Empty:
        self.stopped.update(self.line)
        self.paused = False
        return Empty()

    def pause(self, request: PauseSound, payload: bytes) -> Empty:
        self.paused = request.paused
        return Empty()


class Microphone:
    """Hears what a test says.

    Attributes:
        finished: set to close it.
    """

    def __init__(self) -> None:
        self.finished = asyncio.Event()
        self.error: AppError | None = None
        self.phases = ("opening", "listening", "hearing")

    async def record(self, request: Record, payload: bytes) -> AsyncIterator[tuple[Body, bytes]]:
        for phase in self.phases:
            yield MicrophoneState(phase=phase), b""
        yield PartialTranscript(text="red"), b""
        await self.finished.wait()
        if self.error is not None:
            raise self.error
        yield MicrophoneState(phase="transcribing"), b""
        yield (
            Recorded(
                text="red pump",
                segments=(),
                language="en",
                language_probability=1.0,
                seconds=1.0,
                ended_by="finish",
            ),
            b"",
        )

    def finish(self, request: FinishRecording, payload: bytes) -> Empty:
        self.finished.set()
        return Empty()


class Understanding:
    """Understands one segment in each piece.

    Attributes:
        opened: the options of each transcription.
        gate: cleared: a piece takes until it is set.
        failures: raised by the next pieces, in order; None: no failure.
    """

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.open_handles: set[str] = set()
        self.fed: list[tuple[int, bool]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception | None] = []
        self.doubtful = self.silent = False
        self.open_error: AppError | None = None
        self._done_s: dict[str, float] = {}

    def open(self, request: OpenTranscription, payload: bytes) -> Body:
        if self.open_error is not None:
            raise self.open_error
        self.opened.append(request.options)
        handle = f"t{len(self.opened)}"
        self.open_handles.add(handle)
        self._done_s[handle] = 0.0
        return TranscriptionOpened(handle=handle, multilingual=False)

    async def feed(self, request: FeedTranscription, payload: bytes) -> AsyncIterator[tuple[Body, bytes]]:
        await self.gate.wait()
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        begun_s = self._done_s[request.handle]
        done_s = begun_s + len(payload) / 2 / 16_000
        self._done_s[request.handle] = done_s
        self.fed.append((len(payload), request.last))
        segment = SpeechSegment(
            start_s=begun_s, end_s=done_s, text=f" piece {len(self.fed)} ", probability=0.5
        )
        segments = (segment,) if payload and not self.silent else ()
        yield (
            TranscriptPart(
                segments=segments,
                language="en",
                language_probability=0.9,
                done_s=done_s,
                doubtful=self.doubtful,
            ),
            b"",
        )

    def close(self, request: CloseTranscription, payload: bytes) -> Empty:
        self.open_handles.discard(request.handle)
        return Empty()


class Decoder:
    """Gives silence of a length.

    Attributes:
        seconds: of the file.
        error: raised when a file is opened.
    """

    def __init__(self, seconds: float = 70.0) -> None:
        self.seconds = seconds
        self.error: AppError | None = None
        self.read_error: AppError | None = None
        self.damaged = False
        self.n_tracks = 1
        self.tells_length = True
        self.opened: list[OpenAudio] = []
        self.open_handles: set[str] = set()
        self._position: dict[str, tuple[float, int]] = {}

    def open(self, request: OpenAudio, payload: bytes) -> Body:
        if self.error is not None:
            raise self.error
        self.opened.append(request)
        handle = f"a{len(self.opened)}"
        self.open_handles.add(handle)
        self._position[handle] = (request.start_s, request.sample_rate)
        length = self.seconds if self.tells_length else None
        return AudioInfo(
            handle=handle,
            seconds=length,
            format="wav",
            codec="pcm",
            title="A talk",
            n_tracks=self.n_tracks,
        )

    def read(self, request: ReadAudio, payload: bytes) -> tuple[Body, bytes]:
        if self.read_error is not None:
            raise self.read_error
        start_s, rate = self._position[request.handle]
        length_s = max(0.0, min(request.seconds, self.seconds - start_s))
        self._position[request.handle] = (start_s + length_s, rate)
        n_samples = round(length_s * rate)
        ended = start_s + length_s >= self.seconds
        piece = AudioPiece(start_s=start_s, n_samples=n_samples, ended=ended, damaged=self.damaged)
        return piece, bytes(2 * n_samples)

    def close(self, request: CloseAudio, payload: bytes) -> Empty:
        self.open_handles.discard(request.handle)
        return Empty()


class Desk:
    """All that the voice services need, put together.

    Attributes:
        voice: the voice worker.
        decoder: the decoder.
    """

    def __init__(self) -> None:
        self.loudspeaker, self.microphone = Loudspeaker(), Microphone()
        self.understanding, self.sounds = Understanding(), Decoder()
        self.devices: Body = AudioDevices(
            inputs=(AudioDevice(id="m", name="Mic"),), outputs=(AudioDevice(id="s", name="Speaker"),)
        )
        self.samples = b"\x01\x00" * 100
        self.voice = ScriptedWorker(
            "voice",
            {
                Say: self.loudspeaker.say,
                Play: self.loudspeaker.play,
                StopSound: self.loudspeaker.stop,
                PauseSound: self.loudspeaker.pause,
                SetVolume: lambda request, payload: Empty(),
                Synthesize: self._synthesize,
                Record: self.microphone.record,
                FinishRecording: self.microphone.finish,
                FindAudioDevices: lambda request, payload: self.devices,
                OpenTranscription: self.understanding.open,
                FeedTranscription: self.understanding.feed,
                CloseTranscription: self.understanding.close,
            },
        )
        self.decoder = ScriptedWorker(
            "decoder",
            {OpenAudio: self.sounds.open, ReadAudio: self.sounds.read, CloseAudio: self.sounds.close},
        )

    def _synthesize(self, request: Synthesize, payload: bytes) -> tuple[Body, bytes]:
        return Sound(sample_rate=1000, n_samples=len(self.samples) // 2), self.samples


def put_speech_model(folder: Path, n_tokens: int = ENGLISH_TOKENS, as_json: bool = False) -> Path:
    """Make a folder that looks like a speech model."""
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"x" * 10)
    tokens = [f"t{number}" for number in range(n_tokens)]
    if as_json:
        (folder / "vocabulary.json").write_text(json.dumps(tokens))
    else:
        (folder / "vocabulary.txt").write_text("\n".join(tokens) + "\n")
    return folder


def put_voice(folder: Path, name: str, config: object = None) -> Path:
    """Make a folder that looks like a voice; give its `.onnx` file."""
    folder.mkdir(parents=True)
    path = folder / f"{name}.onnx"
    path.write_bytes(b"x" * 20)
    path.with_name(f"{name}.onnx.json").write_text(json.dumps(config))
    return path
