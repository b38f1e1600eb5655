"""Plays the sound of the document that is open, through the host."""

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.voice import ControlReading, PlaybackPosition, PlayDocument, ReadingEnded, StopReading
from app.ui.session import Cancelled, Session
from app.ui.tasks import TaskSpawner

log = logging.getLogger(__name__)
_AT_END_S = 0.25


@dataclass(frozen=True)
class Playing:
    """What is played, and how far.

    Attributes:
        document_id: None: no recording is open.
        phase: `stopped`, `starting` (nothing is heard yet), `playing` or `paused`.
        seconds: where it stands.
        total_s: length of the recording.
    """

    document_id: int | None = None
    phase: str = "stopped"
    seconds: float = 0.0
    total_s: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether something is heard, or about to be."""
        return self.phase in ("starting", "playing")


class Playback(QObject):
    """The sound of one document at a time.

    Signals:
        changed: Playing.
        failed: AppError; it cannot be played (any more).
    """

    changed = Signal(object)
    failed = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Play nothing yet."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._state = Playing()
        self._job = 0

    @property
    def state(self) -> Playing:
        """What is played now."""
        return self._state

    def open(self, document_id: int, total_s: float) -> None:
        """Be ready to play a recording from its beginning; what is played of another stops."""
        self.close()
        self._set(Playing(document_id, total_s=total_s))

    def close(self) -> None:
        """Let go of the recording; what is heard of it stops."""
        self._silence()
        self._set(Playing())

    def play(self, start_s: float | None = None) -> None:
        """Play from a time in seconds; None: from where it stands, or anew from the beginning at its end."""
        state = self._state
        if state.document_id is None:
            return
        if start_s is None:
            start_s = 0.0 if state.seconds >= state.total_s - _AT_END_S else state.seconds
        self._job += 1
        self._set(replace(state, phase="starting", seconds=start_s))
        request = PlayDocument(document_id=state.document_id, start_s=start_s)
        self._tasks.spawn(self._follow(request, self._job), "play recording")

    @Slot()
    def toggle(self) -> None:
        """Play, pause, or go on."""
        phase = self._state.phase
        if phase == "paused":
            self._set(replace(self._state, phase="playing"))
            self._control(paused=False)
        elif phase == "starting":  # the host has nothing yet that could be paused
            self._silence()
            self._set(replace(self._state, phase="stopped"))
        elif phase == "playing":
            self._set(replace(self._state, phase="paused"))
            self._control(paused=True)
        else:
            self.play()

    def seek(self, seconds: float) -> None:
        """Go to a time; what is heard goes on there, what is not stays silent there."""
        seconds = min(max(0.0, seconds), self._state.total_s)
        if self._state.is_running:
            self.play(seconds)
        elif self._state.document_id is not None:
            self._silence()
            self._set(replace(self._state, phase="stopped", seconds=seconds))

    @Slot(float)
    def set_volume(self, volume: float) -> None:
        """Be as loud as this, 0 to 1, at once."""
        if self._state.phase != "stopped":
            self._control(volume=volume)

    def _silence(self) -> None:
        if self._state.phase != "stopped":
            self._job += 1
            self._tasks.spawn(self._call(StopReading()), "stop recording")

    async def _follow(self, request: PlayDocument, job: int) -> None:
        try:
            async with contextlib.aclosing(self._session.stream(request)) as bodies:
                async for body in bodies:
                    if job != self._job:
                        return
                    self._take(body)
        except Cancelled:
            pass
        except AppError as error:
            if job == self._job:
                self._set(replace(self._state, phase="stopped"))
                self.failed.emit(error)
            return
        if job == self._job:
            self._set(replace(self._state, phase="stopped"))

    def _take(self, body: object) -> None:
        state = self._state
        if isinstance(body, PlaybackPosition):
            phase = "paused" if state.phase == "paused" else "playing"
            total_s = body.total_s or state.total_s
            self._set(replace(state, phase=phase, seconds=body.seconds, total_s=total_s))
        elif isinstance(body, ReadingEnded) and body.ended_by == "end":
            self._set(replace(state, seconds=state.total_s))

    def _control(self, **changes: Any) -> None:
        reading = f"document.{self._state.document_id}"
        self._tasks.spawn(self._call(ControlReading(reading=reading, **changes)), "control recording")

    async def _call(self, request: Any) -> None:
        try:
            await self._session.call(request)
        except AppError as error:
            log.info("%s: %s", request.TYPE, error.code)  # playing itself ends with the reason

    def _set(self, state: Playing) -> None:
        if state != self._state:
            self._state = state
            self.changed.emit(state)
