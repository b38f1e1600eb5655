"""One use of the microphone: from the wish to open it to what was understood."""

import contextlib

from PySide6.QtCore import QObject, Signal

from app.core.errors import AppError
from app.protocol.body import Body
from app.protocol.speech import MicrophoneState, PartialTranscript, Recorded
from app.protocol.voice import FinishListening, Listen
from app.ui.session import Cancelled, ReplyStream, Session
from app.ui.tasks import TaskSpawner

OPENING, LISTENING, HEARING, TRANSCRIBING = "opening", "listening", "hearing", "transcribing"
CLOSING = "closing"
_OPEN_PHASES = frozenset({OPENING, LISTENING, HEARING, CLOSING})


class Listener(QObject):
    """Opens the microphone for one listening at a time, and tells what comes.

    It counts as open from the wish on until the host has said that it is closed: a sign that depends on
    `is_open` never goes out too early.

    Signals:
        state_changed: MicrophoneState; its phase is `closing` once it was cancelled.
        partial_changed: all that was understood so far (str).
        ended: Recorded.
        cancelled: the microphone is closed and nothing is kept.
        failed: AppError; the microphone is closed.
    """

    state_changed = Signal(object)
    partial_changed = Signal(str)
    ended = Signal(object)
    cancelled = Signal()
    failed = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Prepare; nothing is asked of the host before `start`."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._stream: ReplyStream | None = None
        self._state = MicrophoneState(phase="")

    @property
    def is_active(self) -> bool:
        """Whether a listening has begun and not ended."""
        return self._stream is not None

    @property
    def is_open(self) -> bool:
        """Whether the microphone is open, or may be."""
        return self.is_active and self._state.phase in _OPEN_PHASES

    @property
    def phase(self) -> str:
        """Phase of the listening that runs; empty where none does."""
        return self._state.phase if self.is_active else ""

    def start(self, *, hands_free: bool = False, barge_in: bool = False, test: bool = False) -> None:
        """Open the microphone; nothing where a listening runs. For the arguments see protocol.Listen."""
        if self._stream is not None:
            return
        self._stream = self._session.stream(Listen(hands_free=hands_free, barge_in=barge_in, test=test))
        self._take_state(MicrophoneState(phase=OPENING))
        if self._tasks.spawn(self._run(self._stream), "listen") is None:  # the window is closing
            self._stream = None

    def finish(self) -> None:
        """Close the microphone and understand what came; one that is still being opened is dropped."""
        if self.phase == OPENING:
            self.cancel()
        elif self.phase in (LISTENING, HEARING):
            self._tasks.spawn(self._finish(), "finish listening")

    def cancel(self) -> None:
        """Close the microphone, or stop understanding; nothing is kept."""
        if self._stream is not None and self.phase != CLOSING:
            self._take_state(MicrophoneState(phase=CLOSING, elapsed_s=self._state.elapsed_s))
            self._stream.cancel()

    async def _finish(self) -> None:
        try:
            await self._session.call(FinishListening())
        except AppError:
            self.cancel()  # it must not stay open

    async def _run(self, stream: ReplyStream) -> None:
        result: Recorded | None = None
        error: AppError | None = None
        try:
            async with contextlib.aclosing(stream) as bodies:
                async for body in bodies:
                    if isinstance(body, Recorded):
                        result = body
                    else:
                        self._take(body)
        except Cancelled:
            result = None
        except AppError as caught:
            error = caught
        finally:
            was_cancelled = self.phase == CLOSING
            self._stream = None
        if error is not None and not was_cancelled:
            self.failed.emit(error)
        elif result is None or was_cancelled:
            self.cancelled.emit()
        else:
            self.ended.emit(result)

    def _take(self, body: Body) -> None:
        if self.phase == CLOSING:
            return
        if isinstance(body, MicrophoneState):
            self._take_state(body)
        elif isinstance(body, PartialTranscript):
            self.partial_changed.emit(body.text)

    def _take_state(self, state: MicrophoneState) -> None:
        self._state = state
        self.state_changed.emit(state)
