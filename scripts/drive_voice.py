"""Talk to the real window through a virtual sound card, and hear what it says; print what happened as JSON.

As `scripts/drive_window.py`, with a private sound server: speech is played into the virtual microphone, the
button is pressed with the mouse, and what the virtual loudspeaker plays is recorded and transcribed again.
Exit 1 where a step does not come about in time.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.protocol.library import FileChanged, FileState
from app.protocol.system import UpdateSettings
from app.protocol.voice import SpeakText, StopReading, TranscribeFile
from app.ui.voice.listener import HEARING, LISTENING, TRANSCRIBING
from scripts.bench.word_errors import words
from scripts.drive_window import Driver, StepFailed, run
from scripts.faults.make_documents import SPOKEN_FACT, SPOKEN_QUESTION
from scripts.faults.program import Program
from scripts.faults.sound_card import MICROPHONE, SPEAKER, Playing, Samples, SoundCard, SpeakerRecording
from scripts.wav_files import write_wav

_LOUD = 500  # of 32,767: something is heard
_SPEECH_RATE = 22_050
_SECOND_QUESTION = "How much did the reserve pump cost?"
_MEETING = (
    "Good morning, and welcome to the meeting about the harbour.",
    "The first point is the road to the ferry, which will be closed for two weeks in October.",
    "The second point is the new crane.",
    "The council approved the new harbour crane on the third of May, for ninety thousand pounds.",
    "It will be delivered before the winter, and two people will learn to use it.",
    "The last point is the light at the end of the pier, which has been broken since August.",
    "Thank you, and see you next month.",
)
_MEETING_QUESTION = "How long will the road to the ferry be closed?"
_INTERRUPTION = "Stop please. " + _SECOND_QUESTION


class VoiceDriver:
    """Does what a person with a microphone does.

    Attributes:
        seen: what was seen, by part.
        echo_db: by how much the loudspeaker is louder in the microphone than who interrupts; None: mute.
        echo_delay_ms: by how much it is heard later.
    """

    def __init__(self, driver: Driver, card: SoundCard, data_dir: Path, folder: Path) -> None:
        """Take the running program, the sound card, and a folder for sounds."""
        self.driver, self.card, self._data_dir, self._folder = driver, card, data_dir, folder
        self.seen, self.window = driver.seen, driver.window
        self.composer = driver.window.chat_pane.composer
        self.voice = driver.window.voice
        self.echo_db: float | None = None
        self.echo_delay_ms = 0
        self._spoken: dict[str, Samples] = {}
        self._states: dict[str, FileState] = {}
        driver.program.session.file_changed.connect(self._on_file)

    # ------------------------------------------------------------------------------------- speech

    async def speech(self, text: str) -> Samples:
        """Give the text as somebody says it, (n,) at 22,050 a second."""
        if text not in self._spoken:
            _, payload = await self.driver.program.session.call_with_payload(SpeakText(text=text))
            self._spoken[text] = np.frombuffer(payload, "<i2").astype(np.int16)
        return self._spoken[text]

    async def say(self, text: str) -> Playing:
        """Begin to say a text into the room of the microphone."""
        return self.card.play_into(await self.speech(text), _SPEECH_RATE)

    async def heard(self, samples: NDArray[np.int16], rate: int) -> str:
        """Give the words in a recording."""
        path = self._folder / "heard.wav"
        self._write(path, samples, rate)
        found = ""
        async for body in self.driver.program.session.stream(TranscribeFile(path=str(path))):
            found = getattr(body, "text", found)
        path.unlink()
        return found

    @contextlib.asynccontextmanager
    async def recorded(self, sink: str = SPEAKER) -> AsyncIterator[SpeakerRecording]:
        """Record what a loudspeaker (or a room) plays."""
        recording = await asyncio.to_thread(self.card.record_speaker, speaker=sink)
        with recording:
            yield recording

    def _write(self, path: Path, samples: Samples, rate: int) -> None:
        write_wav(path, samples.astype("<i2").tobytes(), rate)

    async def until_quiet(self, timeout_s: float = 60) -> None:
        """Wait until nothing is read any more and no microphone is open."""
        reading = self.window.reading.controller
        await self.driver.until(
            "quiet", lambda: not reading.is_reading and not self.voice.is_active, timeout_s
        )

    # --------------------------------------------------------------------------------------- parts

    @contextlib.asynccontextmanager
    async def held_button(self) -> AsyncIterator[None]:
        """Hold the microphone's button with the mouse once the microphone listens."""
        button = self.composer.voice.talk
        QTest.mousePress(button, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
        opened = await self.driver.until(
            "microphone open", lambda: self.voice.talk.listener.phase == LISTENING
        )
        self.seen.setdefault("opened_s", opened)
        if self.card.n_recording() != 1:
            raise StepFailed("the microphone open in the sound server")
        yield
        QTest.mouseRelease(button, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))

    async def push(self, text: str) -> str:
        """Hold the button, say a text, let go; give the text in the composer."""
        self.composer.set_text("")
        async with self.held_button():
            playing = await self.say(text)
            await self.driver.until("hearing", lambda: self.voice.talk.listener.phase == HEARING)
            await asyncio.sleep(1.0)
            self.driver.shoot("recording")
            await asyncio.to_thread(playing.wait)
            await asyncio.sleep(0.3)
        released = time.perf_counter()
        self.driver.shoot("transcribing")
        await self.driver.until("text", lambda: not self.voice.is_active, 30)
        self.seen.setdefault("text_after_release_s", round(time.perf_counter() - released, 2))
        if self.card.n_recording():
            raise StepFailed("the microphone closed in the sound server")
        return self.composer.text()

    async def push_once(self) -> None:
        """Say a question into the composer."""
        self.seen["pushed"] = await self.push(SPOKEN_QUESTION)

    async def answer_aloud(self) -> None:
        """Ask by voice, have the answer read aloud, and compare what the loudspeaker says with it."""
        await self._set(read_answers=True)
        asked = await self.push(SPOKEN_QUESTION)
        self.seen["asked"] = asked
        before = self.driver.answer()
        async with self.recorded() as speaker:
            self.composer.send()
            await self.driver.until("sound", lambda: _is_loud(speaker.samples()), 120)
            self.driver.shoot("reading")
            await self.driver.until("answer", lambda: self.driver.answer() is not before, 60)
            await self.driver.until("whole answer", lambda: _ended(self.driver), 120)
            await self.until_quiet(180)
            await asyncio.sleep(0.3)
            samples = speaker.samples()
        answer = self.driver.answer()
        assert answer is not None  # it was waited for
        said = await self.heard(samples, speaker.rate)
        self.seen["answer"], self.seen["heard"] = answer.text, said
        self.seen["answer_words_heard"] = _share(answer.text, said)
        await self._set(read_answers=False)

    async def hands_free(self) -> None:
        """Two turns without a hand: question, answer, question, answer."""
        self.composer.set_text("")
        self.composer.voice.hands_free.click()
        self.seen["turns"] = [await self._turn(question) for question in (SPOKEN_QUESTION, _SECOND_QUESTION)]
        self.composer.strip.cancel_button.click()
        await self.until_quiet()

    async def _turn(self, question: str) -> dict[str, str | float]:
        """Say a question, hear the answer to its end."""
        await self.driver.until("listening", lambda: self._hands_free_phase() == LISTENING, 120)
        before = self.driver.answer()
        async with self.recorded() as speaker:
            await asyncio.to_thread((await self.say(question)).wait)
            await self.driver.until("sound", lambda: _is_loud(speaker.samples()), 120)
            self.driver.shoot("hands_free")
            await self.driver.until("answer", lambda: _ended(self.driver, before), 180)
            await self.driver.until("read", lambda: not self.window.reading.controller.is_reading, 180)
            samples = speaker.samples()
        answer = self.driver.answer()
        assert answer is not None  # it was waited for
        said = await self.heard(samples, speaker.rate)
        return {
            "question": self._last_question(),
            "answer": answer.text,
            "heard": said,
            "answer_words_heard": _share(answer.text, said),
        }

    async def barge_in(self) -> None:
        """Speak while an answer is read, hands-free: the sound stops, and the words are a question."""
        self.composer.voice.hands_free.click()
        await self.driver.until("listening", lambda: self._hands_free_phase() == LISTENING, 120)
        interruption = await self.speech(_INTERRUPTION)
        room_sink = f"{MICROPHONE}.room"
        if self.echo_db is not None:
            self.card.add_echo(min(self.echo_db, 0.0), self.echo_delay_ms)
            interruption = _louder(interruption, -max(self.echo_db, 0.0))
            self.seen["turn_before"] = await self._turn(SPOKEN_QUESTION)  # not cut by its own echo
            await self.driver.until("listening", lambda: self._hands_free_phase() == LISTENING, 120)
        async with self.recorded() as speaker, self.recorded(room_sink) as room:
            await asyncio.to_thread((await self.say(SPOKEN_QUESTION)).wait)
            await self.driver.until("sound", lambda: _is_loud(speaker.samples()), 120)
            await asyncio.sleep(0.5)
            n_room = len(room.samples())
            playing = self.card.play_into(interruption, _SPEECH_RATE)
            await self.driver.until("interrupted", lambda: not self.window.reading.controller.is_reading, 20)
            self.driver.shoot("interrupted")
            await asyncio.to_thread(playing.wait)
            spoken, sounded = room.samples(), speaker.samples()
        began = n_room + _begin_of(interruption, spoken[n_room:], room.rate)
        # Both recordings end at the same moment, so places are counted from there.
        began_before_end_s = (len(spoken) - began) / room.rate
        loud = np.flatnonzero(np.abs(sounded) > _LOUD)
        ended_before_end_s = (len(sounded) - int(loud[-1])) / speaker.rate
        self.seen["barge_in_ms"] = round((began_before_end_s - ended_before_end_s) * 1000)
        await self.driver.until("its question", lambda: "cost" in self._last_question().lower(), 60)
        self.seen["barge_in_question"] = self._last_question()
        self.composer.strip.cancel_button.click()
        await self.until_quiet()

    async def removed(self) -> None:
        """Unplug the microphone while it records, and the loudspeaker while it reads; plug them in again."""
        notice = self.composer.voice_notice
        async with self.held_button():
            await self.say(SPOKEN_QUESTION)
            await self.driver.until("hearing", lambda: self.voice.talk.listener.phase == HEARING)
            self.card.remove(MICROPHONE)
            await self.driver.until("told", notice.isVisible, 20)
        await self.until_quiet()
        self.seen["microphone_removed"] = notice.text
        self.driver.shoot("microphone_removed")
        QTest.mouseClick(self.composer.voice.talk, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
        await self.driver.until("no microphone", lambda: notice.text != self.seen["microphone_removed"], 20)
        self.seen["no_microphone"] = notice.text
        self.driver.shoot("no_microphone")
        self.card.add_microphone(MICROPHONE, "Desk microphone")
        self.card.set_default_microphone(MICROPHONE)
        self.seen["after_plugging_in"] = await self.push(SPOKEN_QUESTION)
        await self._read(SPOKEN_FACT)
        self.card.remove(SPEAKER)
        await self.driver.until("stopped", lambda: not self.window.reading.controller.is_reading, 20)
        self.seen["speaker_removed"] = self._toast()
        self.driver.shoot("speaker_removed")
        self.card.add_loudspeaker(SPEAKER, "Desk speaker")
        self.card.set_default_loudspeaker(SPEAKER)
        await self._read(SPOKEN_FACT)
        await self.until_quiet()
        await self._closed()

    async def killed(self) -> None:
        """Kill the voice worker while it records, understands and speaks; each time the window goes on."""
        notice, seen = self.composer.voice_notice, dict[str, str]()
        async with self.held_button():
            playing = await self.say(SPOKEN_QUESTION)
            await self.driver.until("hearing", lambda: self.voice.talk.listener.phase == HEARING)
            self._kill_worker()
            await self.driver.until("told", notice.isVisible, 20)
        playing.stop()
        await self.until_quiet()
        seen["recording"] = notice.text
        self.driver.shoot("killed_recording")
        await self._closed()
        async with self.held_button():
            await asyncio.to_thread((await self.say(" ".join([SPOKEN_FACT] * 3))).wait)
        await self.driver.until("understanding", lambda: self.voice.talk.listener.phase == TRANSCRIBING)
        self._kill_worker()
        await self.until_quiet()
        seen["understanding"] = notice.text
        self.driver.shoot("killed_understanding")
        await self._closed()
        seen["then"] = await self.push(SPOKEN_QUESTION)
        await self._read(SPOKEN_FACT)
        self._kill_worker()
        await self.driver.until("stopped", lambda: not self.window.reading.controller.is_reading, 20)
        seen["speaking"] = self._toast()
        self.driver.shoot("killed_speaking")
        await self._closed()
        self.seen["killed"] = seen

    async def _read(self, text: str) -> None:
        """Have a text read and wait until it is heard."""
        async with self.recorded() as speaker:
            self.window.reading.controller.read("", text)
            await self.driver.until("sound", lambda: _is_loud(speaker.samples()), 30)

    def _kill_worker(self) -> None:
        for process in Program(self._data_dir).processes("voice"):
            process.kill()

    async def _closed(self) -> None:
        """Wait until no device is open: a loudspeaker stays open for a moment after its last sound."""

        def is_closed() -> bool:
            return not self.card.n_recording() and not self.card.n_playing()

        await self.driver.until("everything closed in the sound server", is_closed, 5)

    def _toast(self) -> str:
        return " / ".join(toast.notice.message for toast in self.window.toasts.toasts)

    async def transcript(self) -> None:
        """Drop a recording on the window, ask about it, open the citation and play it from there."""
        path = self._folder / "Site meeting.wav"
        self._write(path, await self.speech(" ".join(_MEETING)), _SPEECH_RATE)
        self.driver.drop([path])
        await self.driver.until("in the library", lambda: path.name in self._states, 30)
        await asyncio.sleep(1.0)
        self.driver.shoot("transcript_library")
        await self.driver.until("transcribed", lambda: self._states[path.name] == FileState.READY, 60)
        answer = await self.driver.ask(_MEETING_QUESTION)
        self.driver.shoot("transcript_answer")
        await self.driver.open_citation(answer)
        async with self.recorded() as speaker:
            self.window.viewer_pane.citation_bar.play_button.click()
            await self.driver.until("sound", lambda: _is_loud(speaker.samples()), 30)
            await asyncio.sleep(2.5)
            self.driver.shoot("transcript")
            await asyncio.sleep(2.5)
            await self.driver.program.session.call(StopReading())
            samples = speaker.samples()
        self.seen["played"] = await self.heard(samples, speaker.rate)

    def _on_file(self, change: FileChanged) -> None:
        self._states[change.file.name] = change.file.state

    async def settings(self) -> None:
        """Open the voice settings and test the microphone."""
        self.window.voice.settings.open()
        dialog = self.window.voice.settings.dialog
        assert dialog is not None  # it was just opened
        await asyncio.sleep(2.0)
        if self.driver.shots_dir is not None:
            dialog.grab().save(str(self.driver.shots_dir / "settings.png"))
        dialog.close()

    def _hands_free_phase(self) -> str:
        return self.voice.hands_free.listener.phase

    def _last_question(self) -> str:
        model = self.window.chats.current.model
        texts = [model.row(number).message for number in range(model.rowCount())]
        return next((message.text for message in reversed(texts) if message.role == "user"), "")

    async def _set(self, **values: object) -> None:
        await self.driver.program.session.call(UpdateSettings(values=values))


def _is_loud(samples: Samples) -> bool:
    return bool(np.any(np.abs(samples) > _LOUD))


def _louder(samples: Samples, gain_db: float) -> Samples:
    louder: Samples = np.rint(samples * 10 ** (gain_db / 20)).astype(np.int16)
    return louder


def _begin_of(said: Samples, heard: Samples, rate: int) -> int:
    """Find where something that was said becomes loud, among whatever else was heard (cross-correlation)."""
    n_said = len(said) * rate // _SPEECH_RATE
    wanted = np.interp(np.arange(n_said) * _SPEECH_RATE / rate, np.arange(len(said)), said)
    n_points = 1 << (len(heard) + n_said).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(heard, n_points) * np.conj(np.fft.rfft(wanted, n_points)), n_points)
    return int(np.argmax(likeness[: len(heard)])) + int(np.argmax(np.abs(wanted) > _LOUD))


def _ended(driver: Driver, before: object = None) -> bool:
    answer = driver.answer()
    return answer is not None and answer is not before and answer.state != "streaming"


def _share(said: str, heard: str) -> float:
    """Give the share of the distinct words of a text that were heard."""
    wanted, found = set(words(said)), set(words(heard))
    return round(len(wanted & found) / len(wanted), 3) if wanted else 0.0


PARTS: dict[str, Callable[[VoiceDriver], Coroutine[Any, Any, None]]] = {
    "push": VoiceDriver.push_once,
    "answer": VoiceDriver.answer_aloud,
    "hands-free": VoiceDriver.hands_free,
    "barge-in": VoiceDriver.barge_in,
    "removed": VoiceDriver.removed,
    "killed": VoiceDriver.killed,
    "transcript": VoiceDriver.transcript,
    "settings": VoiceDriver.settings,
}


async def job(driver: Driver, options: argparse.Namespace) -> None:
    """Do the parts that the options name."""
    await driver.connected()
    (notes := Path(options.data_dir).parent / "pump.txt").write_text(SPOKEN_FACT + "\n", encoding="utf-8")
    driver.drop([notes])
    await driver.ingested()
    with tempfile.TemporaryDirectory() as folder:
        voice = VoiceDriver(driver, options.card, Path(options.data_dir), Path(folder))
        voice.echo_db, voice.echo_delay_ms = options.echo_db, options.echo_delay_ms
        await voice._set(max_tokens=48)
        for part in options.parts:
            await PARTS[part](voice)
    driver.measure()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="+", choices=PARTS, metavar="PART", help=f"what to do: {', '.join(PARTS)}"
    )
    parser.add_argument("--data-dir", required=True, help="data folder")
    parser.add_argument("--shots", type=Path, help="save pictures here")
    parser.add_argument("--echo-db", type=float, help="barge-in: the loudspeaker against who interrupts it")
    parser.add_argument("--echo-delay-ms", type=int, default=80, help="barge-in: how late it is heard")
    parser.add_argument("--size", default="1400x860", help="of the window")
    options = parser.parse_args()
    options.guide = False
    return options


def main() -> int:
    """Start the sound card, then the window on it."""
    options = _options()
    with SoundCard() as card:
        os.environ.update(card.environment())
        options.card = card
        return run(options, job)


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
