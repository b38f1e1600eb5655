"""One question on its way: from Enter to the stored answer, whatever happens in between."""

import contextlib
import itertools
import time
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import AppError
from app.protocol.body import Body
from app.protocol.chat import (
    AnswerDone,
    AnswerKept,
    AnswerPhase,
    AnswerStarted,
    AnswerToken,
    Ask,
    ChatMessage,
)
from app.ui.chat.message_model import MessageModel
from app.ui.session import Cancelled, ReplyStream, Session

_FLUSH_MS = 33  # 30 repaints a second at most
_MAX_FLUSH_MS = 250
_SPEED_EVERY_S = 1.0
_provisional = itertools.count(1)

PROVISIONAL = "provisional-"


class LiveAnswer(QObject):
    """Asks, and keeps the two messages in a model up to date until the answer has ended.

    Signals:
        started: AnswerStarted; question and answer are stored.
        ended: the LiveAnswer itself; `failed_unstored` tells whether the question was never stored.
        loading_changed: the model began, or ended, to be loaded for this answer (bool).
        speed_measured: about how many tokens a second come (float), at most once a second.
        written: ChatMessage: more of the answer came, as far as it is shown.
    """

    started = Signal(object)
    ended = Signal(object)
    loading_changed = Signal(bool)
    speed_measured = Signal(float)
    written = Signal(object)

    def __init__(
        self, session: Session, model: MessageModel, request: Ask, parent: QObject | None = None
    ) -> None:
        """Show the question at once, with an answer that is about to begin."""
        super().__init__(parent)
        self._model, self._request = model, request
        self._stream: ReplyStream = session.stream(request)
        number = next(_provisional)
        self._question_id = f"{PROVISIONAL}question-{number}"
        now = time.time()
        self._message = ChatMessage(
            id=f"{PROVISIONAL}answer-{number}",
            parent_id=self._question_id,
            role="assistant",
            text="",
            created_at=now,
            state="streaming",
            kind="" if request.use_documents else "general",
        )
        model.append(
            ChatMessage(
                id=self._question_id,
                parent_id=None,
                role="user",
                text=request.question,
                created_at=now,
                images=request.images,
            )
        )
        model.append(self._message)
        model.set_phase(self._message.id, AnswerPhase(phase="starting"))
        self._text = ""
        self._is_stopping = self._is_kept = self._is_loading = False
        self._n_pieces, self._first_piece_at, self._speed_told_at = 0, 0.0, 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_FLUSH_MS)
        self._timer.timeout.connect(self._on_flush_due)

    @property
    def question(self) -> str:
        """What was asked."""
        return self._request.question

    @property
    def message(self) -> ChatMessage:
        """The answer as it is now; as it was kept, after the end."""
        return self._message

    @property
    def failed_unstored(self) -> bool:
        """Whether the host never stored the question."""
        return self._message.id.startswith(PROVISIONAL)

    async def run(self) -> None:
        """Ask and follow the answer to its end; errors end up in the answer's message."""
        try:
            async with contextlib.aclosing(self._stream) as bodies:
                async for body in bodies:
                    self._take(body)
        except Cancelled:
            self._end_locally("stopped")
        except AppError as error:
            self._end_locally("interrupted" if self._text else "failed", error)
        finally:
            self._timer.stop()
            self._note_loading(False)
            self.ended.emit(self)

    def stop(self) -> None:
        """Stop at once; what was written is kept."""
        if not self._is_stopping:
            self._is_stopping = True
            self._stream.cancel()
            self._on_flush_due()
            self._model.set_phase(self._message.id, AnswerPhase(phase="stopping"))

    def _take(self, body: Body) -> None:
        if isinstance(body, AnswerToken):
            self._take_token(body)
        elif isinstance(body, AnswerPhase):
            self._note_loading(body.phase == "loading")
            if not self._is_stopping:
                self._model.set_phase(self._message.id, body)
        elif isinstance(body, AnswerStarted):
            self._take_started(body)
        elif isinstance(body, AnswerKept | AnswerDone):
            self._is_kept = True
            self._message = body.answer
            self._model.replace(body.answer)

    @property
    def is_loading(self) -> bool:
        """Whether the model is being loaded for this answer."""
        return self._is_loading

    def _note_loading(self, is_loading: bool) -> None:
        if is_loading != self._is_loading:
            self._is_loading = is_loading
            self.loading_changed.emit(is_loading)

    def _take_token(self, token: AnswerToken) -> None:
        if self._is_stopping:
            return
        self._measure()
        self._text += token.text
        if not self._timer.isActive():
            self._timer.start()

    def _measure(self) -> None:
        """Count what comes; a piece is nearly always one token."""
        now = time.perf_counter()
        if not self._n_pieces:
            self._first_piece_at = self._speed_told_at = now
        elif now - self._speed_told_at >= _SPEED_EVERY_S:
            self._speed_told_at = now
            self.speed_measured.emit(self._n_pieces / (now - self._first_piece_at))
        self._n_pieces += 1

    def _take_started(self, body: AnswerStarted) -> None:
        self._model.replace(body.question, self._question_id)
        self._model.replace(body.answer, self._message.id)
        self._message = body.answer
        self.started.emit(body)

    @Slot()
    def _on_flush_due(self) -> None:
        if not self._text or self._is_kept:
            return
        began = time.perf_counter()
        self._model.set_text(self._message.id, self._text)
        spent_ms = (time.perf_counter() - began) * 1000
        # A long answer takes longer to show: leave the loop at least three quarters of the time.
        self._timer.setInterval(int(min(_MAX_FLUSH_MS, max(_FLUSH_MS, 4 * spent_ms))))
        self.written.emit(replace(self._message, text=self._text))

    def _end_locally(self, state: str, error: AppError | None = None) -> None:
        """Show how it ended, where the host could not say."""
        if self._is_kept:
            return
        told: dict[str, Any] = {}
        if error is not None:
            told = {
                "error_code": error.code,
                "error_message": error.user_message,
                "error_hint": error.hint,
            }
        self._message = replace(self._message, text=self._text, state=state, **told)
        self._model.replace(self._message)
