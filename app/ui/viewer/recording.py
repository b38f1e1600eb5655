"""What a transcript has beside its text: its times, the player, and the line that is heard."""

from PySide6.QtCore import QObject, QRect, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.protocol.documents import DocumentInfo, GetTextTimes
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.viewer.citation_bar import CitationBar
from app.ui.viewer.marks import Range
from app.ui.viewer.playback import Playback, Playing
from app.ui.viewer.player_bar import PlayerBar
from app.ui.viewer.text_times import TextTimes
from app.ui.viewer.text_view import TextView
from app.ui.viewer.time_gutter import TimeGutter

_LOST = frozenset({"document.source_changed", "document.source_missing", "document.not_found"})


class Recording(QObject):
    """Joins the text of a transcript with its sound; hidden and silent for other documents.

    Signals:
        failed: AppError; it cannot be played (any more).
        volume_chosen: 0 to 1.

    Attributes:
        bar: the player; whoever owns this lays it out.
        playback: plays.
    """

    failed = Signal(object)
    volume_chosen = Signal(float)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        text: TextView,
        citation_bar: CitationBar,
        parent: QWidget,
    ) -> None:
        """Join nothing yet."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._text, self._citation_bar = text, citation_bar
        self._times = TextTimes()
        self._cited: Range | None = None
        self._is_playable = False
        self._info: DocumentInfo | None = None
        self.bar = PlayerBar(theme, parent)
        self.gutter = TimeGutter(theme, text)
        self.playback = Playback(session, tasks, self)
        self.playback.changed.connect(self._on_playing_changed)
        self.playback.failed.connect(self._on_failed)
        self.bar.toggle_requested.connect(self.toggle)
        self.bar.seek_requested.connect(self.playback.seek)
        self.bar.volume_chosen.connect(self.playback.set_volume)
        self.bar.volume_chosen.connect(self.volume_chosen)
        citation_bar.play_requested.connect(self._play_from)
        self.gutter.time_activated.connect(self._play_from)
        text.place_activated.connect(self._on_place_activated)
        text.updateRequest.connect(self._place_gutter)

    def open(self, info: DocumentInfo) -> None:
        """Show the player of a document that is a transcript."""
        self.close()
        if info.sound_seconds is None:
            return
        self._info = info
        self._set_playable(info.source == "unchanged")
        self.playback.open(info.document_id, info.sound_seconds)
        self.bar.show_playing(self.playback.state)
        self.bar.show()
        self._tasks.spawn(self._load_times(info), "viewer.times")

    def close(self) -> None:
        """Let go of the document; what is heard of it stops."""
        self.playback.close()
        self._info, self._times, self._cited = None, TextTimes(), None
        self._text.plays_places = False
        self._text.set_heard(None)
        self._text.set_room_at_left(0)
        self.gutter.hide()
        self.bar.hide()
        self._citation_bar.set_play_time(None)

    def show_cited(self, cited: Range | None) -> None:
        """Offer to play the words of a citation; what is heard already goes on there."""
        moved = cited is not None and cited != self._cited
        self._cited = cited
        seconds = self._offer_cited()
        if moved and seconds is not None and self.playback.state.is_running:
            self._play_from(seconds)

    @Slot()
    def toggle(self) -> None:
        """Play, pause, or go on; nothing where nothing can be played."""
        if self._is_playable:
            self._text.follow_again()
            self.playback.toggle()

    @Slot()
    def play(self) -> None:
        """Play from where it stands."""
        self.playback.play()

    # --- times

    async def _load_times(self, info: DocumentInfo) -> None:
        try:
            times = await self._session.call(GetTextTimes(document_id=info.document_id))
        except AppError as error:
            if self._info is info:
                self.failed.emit(error)  # it can still be heard; only its places cannot be found
            return
        if self._info is not info:
            return
        self._times = TextTimes(times.spans)
        self._text.plays_places = self._is_playable and bool(self._times)
        self._text.set_room_at_left(self.gutter.width_for(info.sound_seconds or 0.0))
        self.gutter.setVisible(bool(self._times))
        self._place_gutter()
        self._offer_cited()

    def _offer_cited(self) -> float | None:
        can_play = self._cited is not None and self._is_playable
        seconds = self._times.time_of(self._cited[0]) if can_play and self._cited else None
        self._citation_bar.set_play_time(seconds)
        return seconds

    @Slot()
    def _place_gutter(self) -> None:
        if not self._times:
            return
        view = self._text.viewport().geometry()
        width = min(view.left(), self.gutter.width_for((self._info and self._info.sound_seconds) or 0.0))
        self.gutter.setGeometry(QRect(view.left() - width, view.top(), width, view.height()))
        marks, heard_s = [], None
        line = self._times.line_at(self.playback.state.seconds) if self._is_heard else None
        for (start, end), top, height in self._text.visible_paragraphs():
            seconds = self._times.begins_at(start, end)
            if seconds is not None:
                marks.append((top, height, seconds))
                heard_s = seconds if line is not None and start <= line[0] < end else heard_s
        self.gutter.show_marks(marks, heard_s)

    # --- playing

    @property
    def _is_heard(self) -> bool:
        return self.playback.state.phase in ("playing", "paused")

    @Slot(float)
    def _play_from(self, seconds: float) -> None:
        if self._is_playable:
            self._text.follow_again()
            self.playback.play(seconds)

    @Slot(int)
    def _on_place_activated(self, offset: int) -> None:
        seconds = self._times.time_of(offset)
        if seconds is not None:
            self._play_from(seconds)

    @Slot(object)
    def _on_playing_changed(self, state: Playing) -> None:
        if state.document_id is None:
            return
        self.bar.show_playing(state)
        if self._is_heard:
            self._text.set_heard(self._times.line_at(state.seconds))
        elif state.phase == "stopped":
            self._text.set_heard(None)
        self._place_gutter()

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        if error.code in _LOST:
            self._set_playable(False)
            self._offer_cited()
        self.failed.emit(error)

    def _set_playable(self, playable: bool) -> None:
        self._is_playable = playable
        self._text.plays_places = playable and bool(self._times)
        self.bar.set_playable(playable, self.tr("The recording is not what it was, or is not there."))
