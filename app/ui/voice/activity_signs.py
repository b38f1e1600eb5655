"""In the status line: that a microphone is open or something is heard, whichever front end began it."""

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.voice import FinishListening, StopReading, VoiceActivity
from app.ui.session import Session
from app.ui.status_line import StatusLine
from app.ui.status_parts import StatusButton
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme


class ActivitySigns(QObject):
    """Shows both signs while they are true; a click ends what they tell of.

    Signals:
        failed: AppError; it could not be ended.
    """

    failed = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, line: StatusLine, theme: Theme) -> None:
        """Add the signs to `line`."""
        super().__init__(line)
        self._session, self._tasks = session, tasks
        self.microphone = StatusButton(theme, self.tr("Microphone"), narrowest=24)
        self.microphone.show_icon("microphone-open", "error")
        self.microphone.clicked.connect(self._on_microphone_clicked)
        self.sound = StatusButton(theme, self.tr("Sound"), narrowest=24)
        self.sound.show_icon("sound-on", "busy")
        self.sound.clicked.connect(self._on_sound_clicked)
        for sign in (self.microphone, self.sound):
            line.add_sign(sign)
        session.voice_activity_changed.connect(self._on_activity)
        session.disconnected.connect(self._on_disconnected)

    @Slot(object)
    def _on_activity(self, activity: VoiceActivity) -> None:
        self.microphone.say(
            self.tr("The microphone is open") if activity.microphone else "", self.tr("Click to close it.")
        )
        self.sound.say(self.tr("Sound") if activity.sounding else "", self.tr("Click for silence."))

    @Slot(str)
    def _on_disconnected(self, _words: str) -> None:
        self._on_activity(VoiceActivity(microphone=False, sounding=False))  # both end with the host

    @Slot()
    def _on_microphone_clicked(self) -> None:
        self._tasks.spawn(self._call(FinishListening()), "close microphone")

    @Slot()
    def _on_sound_clicked(self) -> None:
        self._tasks.spawn(self._call(StopReading()), "stop sound")

    async def _call(self, request: FinishListening | StopReading) -> None:
        try:
            await self._session.call(request)
        except AppError as error:
            self.failed.emit(error)
