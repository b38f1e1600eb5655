"""When the words of citations are said, where they come from transcripts."""

import logging

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.chat import Citation
from app.protocol.documents import GetTextTimes
from app.ui.recording_names import is_recording
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

log = logging.getLogger(__name__)
_Place = tuple[int, int, int]


class CitationTimes(QObject):
    """Asks the host once for each place in a recording.

    Signals:
        changed: `time_of` knows more than before.
    """

    changed = Signal()

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Know nothing yet."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._known: dict[_Place, float | None] = {}
        session.connected.connect(self._on_connected)

    def time_of(self, citation: Citation) -> float | None:
        """Give the seconds at which a citation's words begin; None: unknown yet, or no recording's."""
        if not is_recording(citation.name):
            return None
        place = citation.document_id, citation.char_start, citation.char_end
        if place not in self._known:
            self._known[place] = None
            self._tasks.spawn(self._ask(place), "citation time")
        return self._known[place]

    async def _ask(self, place: _Place) -> None:
        document_id, start, end = place
        request = GetTextTimes(document_id=document_id, char_start=start, char_end=end)
        try:
            times = await self._session.call(request)
        except AppError as error:
            log.info("no time for a citation: %s", error.code)  # it is shown without one
            return
        if times.spans:
            self._known[place] = times.spans[0][2]
            self.changed.emit()

    @Slot()
    def _on_connected(self) -> None:
        """Ask again for what another host could not tell."""
        self._known = {place: seconds for place, seconds in self._known.items() if seconds is not None}
