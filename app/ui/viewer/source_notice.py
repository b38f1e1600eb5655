"""Over a document: that its source is no longer what was read, and the way to have it read again."""

from PySide6.QtCore import QObject, Slot

from app.core.errors import AppError
from app.protocol.documents import DocumentInfo
from app.protocol.library import RefreshFiles
from app.ui.elements.banner import Banner, Step
from app.ui.session import Session
from app.ui.tasks import TaskSpawner


class SourceNotice(QObject):
    """Speaks through the banner of the viewer."""

    def __init__(self, session: Session, tasks: TaskSpawner, banner: Banner, parent: QObject) -> None:
        """Speak through `banner`."""
        super().__init__(parent)
        self._session, self._tasks, self._banner = session, tasks, banner

    def tell(self, info: DocumentInfo) -> None:
        """Say that the source changed or is missing; nothing where it is as it was read."""
        if info.source == "changed":
            self._banner.say("warning", self._changed_words(info), self._again())
        elif info.source == "missing":
            words = self.tr("The file is no longer at {path}; this is the text as it was read.")
            if info.sound_seconds is not None:
                words = self.tr("The recording is no longer at {path}. Its text is here, its sound is not.")
            self._banner.say("warning", words.replace("{path}", info.path))
        else:
            self._banner.hide()

    def tell_lost(self, error: AppError) -> None:
        """Say that pages cannot be drawn any more, because the source changed or vanished meanwhile."""
        if error.code == "document.source_changed":
            words = self.tr("The file changed since it was read; this is the text as it was read.")
            self._banner.say("warning", words, self._again())
        else:
            words = self.tr("The file is no longer there; this is the text as it was read.")
            self._banner.say("warning", words)

    def _changed_words(self, info: DocumentInfo) -> str:
        if info.sound_seconds is not None:
            return self.tr("The recording changed since it was transcribed; this is the text of the old one.")
        return self.tr("The file changed since it was read; this is the text as it was read.")

    def _again(self) -> tuple[Step, ...]:
        return ((self.tr("Read the file again"), self._on_read_again),)

    @Slot()
    def _on_read_again(self) -> None:
        self._tasks.spawn(self._read_again(), "viewer.refresh")

    async def _read_again(self) -> None:
        try:
            await self._session.call(RefreshFiles())
        except AppError as error:
            self._banner.say_error(error, ((self.tr("Try again"), self._on_read_again),))
            return
        words = self.tr("The file is being read again. Open it from the library when it is ready.")
        self._banner.say("info", words)
