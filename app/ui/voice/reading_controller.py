"""Reads texts aloud through the host: begins, extends, pauses, skips, ends; what runs is told by signals."""

import contextlib
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import AppError
from app.protocol.system import SettingsChanged, UpdateSettings
from app.protocol.voice import (
    ControlReading,
    ExtendReading,
    ReadAloud,
    ReadingEnded,
    ReadingProgress,
    StopReading,
)
from app.ui.notifier import Notifier
from app.ui.session import Cancelled, Session
from app.ui.tasks import TaskSpawner

log = logging.getLogger(__name__)
EXTEND_EVERY_MS = 200
STORE_DELAY_MS = 600
SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Sentence:
    """The sentence that is heard.

    Attributes:
        message_id: whose text it stands in; empty: no message's.
        start: half-open range of code points of the message's Markdown (of the text given, where there is no
            message); start and end are equal while nothing is heard.
        without_marks: they count in the text without its citation marks, see `Reading`.
    """

    message_id: str = ""
    start: int = 0
    end: int = 0
    without_marks: bool = False


@dataclass(frozen=True)
class Reading:
    """What is read aloud, and how far.

    Attributes:
        id: names the reading to the host; empty: nothing is read.
        message_id: empty where the text is no message's.
        text: as given last.
        offset: where the text begins in the message's.
        title: what it is, in words; empty for a whole message.
        without_marks: the text is `answer_marks.without_marks` of the message's: that of an answer that is
            being written, whose marks are not final.
        phase: `preparing`, `speaking`, `paused`, `waiting` (for more text); empty: nothing is read.
        sentence: the one heard.
        was_heard: something of it was heard already.
    """

    id: str = ""
    message_id: str = ""
    text: str = ""
    offset: int = 0
    title: str = ""
    without_marks: bool = False
    phase: str = ""
    sentence: Sentence = Sentence()
    was_heard: bool = False


@dataclass(frozen=True)
class ReadingOutcome:
    """How a reading ended.

    Attributes:
        ended_by: `end`, `stopped`, `interrupted` (somebody spoke), `replaced` (another one was asked for
            here) or `error`.
        error: what went wrong; the user was told already.
    """

    message_id: str
    ended_by: str
    error: AppError | None = None


NOTHING = Reading()


class ReadingController(QObject):
    """The one reading of this window; a new one ends that before.

    Signals:
        reading_changed: Reading: another phase, sentence or text; NOTHING after the end.
        sentence_changed: Sentence; an empty one after the end.
        ended: ReadingOutcome.
        pace_changed: (speed 0.5 to 2, volume 0 to 1).
    """

    reading_changed = Signal(object)
    sentence_changed = Signal(object)
    ended = Signal(object)
    pace_changed = Signal(float, float)

    def __init__(
        self, session: Session, tasks: TaskSpawner, notifier: Notifier, parent: QObject | None = None
    ) -> None:
        """Read nothing yet; nothing is asked of the host before `read`."""
        super().__init__(parent)
        self._session, self._tasks, self._notifier = session, tasks, notifier
        self._reading = NOTHING
        self._is_whole = True
        self._sent_text, self._sent_whole = "", True
        self._speed, self._volume = 1.0, 1.0
        self._extend_timer = self._timer(EXTEND_EVERY_MS, self._on_extend_due)
        self._store_timer = self._timer(STORE_DELAY_MS, self._on_store_due)
        session.settings_changed.connect(self._on_settings_changed)

    def _timer(self, interval_ms: int, slot: Any) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=interval_ms)
        timer.timeout.connect(slot)
        return timer

    # --- what runs

    @property
    def reading(self) -> Reading:
        """What is read now; NOTHING where nothing is."""
        return self._reading

    @property
    def is_reading(self) -> bool:
        """Whether something is read, paused or about to be heard."""
        return bool(self._reading.id)

    @property
    def speed(self) -> float:
        """0.5 to 2."""
        return self._speed

    @property
    def volume(self) -> float:
        """0 to 1."""
        return self._volume

    # --- wishes

    def read(
        self,
        message_id: str,
        text: str,
        whole: bool = True,
        *,
        offset: int = 0,
        title: str = "",
        without_marks: bool = False,
    ) -> None:
        """Read a text aloud instead of what is read now.

        Args:
            message_id: whose text it is; empty: no message's.
            text: Markdown.
            whole: False: `extend` brings more, and the last sentence may be incomplete.
            offset: where the text begins in the message's.
            title: what it is, in words, where it is not a whole message.
            without_marks: the text lacks the citation marks that the message's has.
        """
        if self.is_reading:
            self._end(ReadingOutcome(self._reading.message_id, "replaced"))
        if self._store_timer.isActive():
            self._store_timer.stop()
            self._on_store_due()  # the host reads as loud as the settings say
        reading_id = f"reading-{next(_numbers)}"
        self._is_whole, self._sent_text, self._sent_whole = whole, text, whole
        self._set(Reading(reading_id, message_id, text, offset, title, without_marks, "preparing"))
        request = ReadAloud(reading=reading_id, text=text, whole=whole, speed=self._speed)
        self._tasks.spawn(self._follow(request), "read aloud")

    def extend(self, message_id: str, text: str, whole: bool) -> None:
        """Give the text of a running reading again, longer; nothing where another or none is read.

        Args:
            message_id: as in `read`.
            text: from its beginning on.
            whole: nothing more will come.
        """
        if not self.is_reading or message_id != self._reading.message_id or self._is_whole:
            return
        self._is_whole = whole
        self._reading = replace(self._reading, text=text)
        if whole or not self._extend_timer.isActive():
            self._on_extend_due()  # at once: it may end a sentence that the host waits for

    @Slot()
    def stop(self) -> None:
        """Be silent at once; nothing where nothing is read."""
        if self.is_reading:
            self._end(ReadingOutcome(self._reading.message_id, "stopped"))
            self._tasks.spawn(self._call(StopReading()), "stop reading")

    @Slot()
    def pause(self) -> None:
        """Be silent until `resume`."""
        self._pause(True)

    @Slot()
    def resume(self) -> None:
        """Go on where it paused."""
        self._pause(False)

    @Slot()
    def toggle_pause(self) -> None:
        """Pause, or go on."""
        self._pause(self._reading.phase != "paused")

    def _pause(self, paused: bool) -> None:
        if self.is_reading and paused != (self._reading.phase == "paused"):
            self._set(replace(self._reading, phase="paused" if paused else "speaking"))
            self._control(paused=paused)

    @Slot(int)
    def skip(self, n_sentences: int) -> None:
        """Go so many sentences forward, or back where it is negative."""
        if self.is_reading:
            self._control(skip=n_sentences)

    def set_speed(self, speed: float) -> None:
        """Read at 0.5 to 2 times the voice's own speed, from the next sentence on, and keep that."""
        speed = min(2.0, max(0.5, speed))
        if speed != self._speed:
            self._speed = speed
            self._tell_pace()
            self._control(speed=speed)

    @Slot(float)
    def set_volume(self, volume: float) -> None:
        """Be as loud as this, 0 to 1, at once, and keep that."""
        volume = min(1.0, max(0.0, volume))
        if volume != self._volume:
            self._volume = volume
            self._tell_pace()
            self._control(volume=volume)

    def _tell_pace(self) -> None:
        self.pace_changed.emit(self._speed, self._volume)
        self._store_timer.start()

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Take speed and volume from the settings."""
        if self._store_timer.isActive():
            return  # ours are newer
        pace = float(values.get("voice_speed", 1.0)), float(values.get("voice_volume", 1.0))
        if pace != (self._speed, self._volume):
            self._speed, self._volume = pace
            self.pace_changed.emit(*pace)

    # --- the host

    async def _follow(self, request: ReadAloud) -> None:
        outcome = ReadingOutcome(self._reading.message_id, "stopped")
        try:
            async with contextlib.aclosing(self._session.stream(request)) as bodies:
                async for body in bodies:
                    if request.reading != self._reading.id:
                        return  # ended here already; leaving asks the host to end it too
                    if isinstance(body, ReadingProgress):
                        self._take_progress(body)
                    elif isinstance(body, ReadingEnded):
                        outcome = replace(outcome, ended_by=body.ended_by)
        except Cancelled:
            pass
        except AppError as error:
            outcome = replace(outcome, ended_by="error", error=error)
        if request.reading == self._reading.id:
            if outcome.error is not None:
                self._notifier.report(outcome.error, "read aloud")
            self._end(outcome)

    def _take_progress(self, progress: ReadingProgress) -> None:
        reading = self._reading
        start, end = progress.start + reading.offset, progress.end + reading.offset
        if progress.start >= progress.end:
            start = end = 0
        sentence = Sentence(reading.message_id, start, end, reading.without_marks)
        heard = reading.was_heard or progress.phase == "speaking"
        self._set(replace(reading, phase=progress.phase, sentence=sentence, was_heard=heard))

    def _set(self, reading: Reading) -> None:
        before, self._reading = self._reading, reading
        if reading != before:
            self.reading_changed.emit(reading)
        if reading.sentence != before.sentence:
            self.sentence_changed.emit(reading.sentence)

    def _end(self, outcome: ReadingOutcome) -> None:
        self._extend_timer.stop()
        self._set(NOTHING)
        self.ended.emit(outcome)

    @Slot()
    def _on_extend_due(self) -> None:
        if self._sent_text == self._reading.text and self._sent_whole == self._is_whole:
            return
        self._extend_timer.start()
        self._sent_text, self._sent_whole = self._reading.text, self._is_whole
        request = ExtendReading(reading=self._reading.id, text=self._reading.text, whole=self._is_whole)
        self._tasks.spawn(self._call(request), "read more")

    def _control(self, **changes: Any) -> None:
        if self.is_reading:
            self._tasks.spawn(
                self._call(ControlReading(reading=self._reading.id, **changes)), "control reading"
            )

    async def _call(self, request: Any) -> None:
        try:
            await self._session.call(request)
        except AppError as error:
            log.info("%s: %s", request.TYPE, error.code)  # the reading itself ends with the reason

    # --- settings

    @Slot(object)
    def _on_settings_changed(self, event: SettingsChanged) -> None:
        self.show_settings(event.values)

    @Slot()
    def _on_store_due(self) -> None:
        values = {"voice_speed": self._speed, "voice_volume": self._volume}
        self._tasks.spawn(self._session.call(UpdateSettings(values=values)), "store pace")
