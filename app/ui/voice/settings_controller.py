"""Opens the voice settings, keeps them up to date while they are open, and runs the two tests."""

import contextlib
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.protocol.speech import MicrophoneState, Recorded
from app.protocol.system import GetSettings, SettingsChanged, UpdateSettings
from app.protocol.voice import GetVoiceChoices, ListAudioDevices, ReadAloud, StopReading
from app.ui.elements.system_opener import open_folder
from app.ui.session import Cancelled, ReplyStream, Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.voice.listener import Listener
from app.ui.voice.settings_dialog import VoiceSettingsDialog
from app.ui.voice.settings_values import DEFAULTS

log = logging.getLogger(__name__)
DEVICES_EVERY_MS = 3000
_tests = itertools.count(1)


class VoiceSettingsController(QObject):
    """Shows the dialog over a window.

    Attributes:
        dialog: the open dialog; None while there is none.
        listener: the microphone, for its test.

    Signals:
        models_requested: show models and voices that can be fetched.
    """

    models_requested = Signal()

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        over: QWidget,
        taken_keys: Callable[[], list[tuple[str, str]]],
        open_dir: Callable[..., bool] = open_folder,
    ) -> None:
        """Show over `over`; `taken_keys` gives the window's shortcuts, `open_dir` opens a folder."""
        super().__init__(over)
        self._session, self._tasks, self._theme, self._over = session, tasks, theme, over
        self._taken_keys, self._open_dir = taken_keys, open_dir
        self.dialog: VoiceSettingsDialog | None = None
        self.listener = Listener(session, tasks, self)
        self._sound: ReplyStream | None = None
        self._is_asking = self._was_troubled = self._is_changing = False
        self._timer = QTimer(self, interval=DEVICES_EVERY_MS)
        self._timer.timeout.connect(self._look_for_devices)
        self.listener.state_changed.connect(self._on_state_changed)
        self.listener.ended.connect(self._on_test_recorded)
        self.listener.cancelled.connect(self._on_test_ended)
        self.listener.failed.connect(self._on_test_failed)
        session.settings_changed.connect(self._on_settings_changed)
        session.models_changed.connect(self._on_models_changed)
        session.connected.connect(self._on_connected)

    @Slot()
    def open(self) -> None:
        """Show the dialog, or bring it to the front."""
        if self.dialog is not None:
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        folder = str(self._session.paths.recordings_dir)
        dialog = self.dialog = VoiceSettingsDialog(self._theme, self._taken_keys, folder, self._over)
        dialog.wanted.connect(self.change)
        dialog.reset_requested.connect(self._on_reset_requested)
        dialog.retry_requested.connect(self._load)
        dialog.microphone.test_requested.connect(self._on_microphone_test_requested)
        dialog.reading.test_requested.connect(self._on_speaker_test_requested)
        dialog.speech.folder_requested.connect(self._on_folder_requested)
        for section in (dialog.speech, dialog.reading):
            section.models_requested.connect(self._on_models_requested)
        dialog.finished.connect(self._on_finished)
        dialog.open()
        self._load()

    @Slot()
    def close(self) -> None:
        """Put the dialog away."""
        if self.dialog is not None:
            self.dialog.reject()

    @Slot()
    def _on_finished(self) -> None:
        """Let go of the dialog, and of what its tests opened."""
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None
        self._timer.stop()
        self.listener.cancel()
        if self._sound is not None:
            self._sound.cancel()

    # --- what is known

    @Slot()
    def _load(self) -> None:
        self._timer.start()
        self._tasks.spawn(self._load_settings(), "load voice settings")
        self._look_for_devices()

    async def _load_settings(self) -> None:
        try:
            settings = await self._session.call(GetSettings())
            choices = await self._session.call(GetVoiceChoices())
        except AppError as error:
            if self.dialog is not None:
                self.dialog.show_load_failed(error)
            return
        if self.dialog is not None:
            self.dialog.show_settings(settings.values)
            self.dialog.show_choices(choices)

    @Slot()
    def _look_for_devices(self) -> None:
        """Ask what is plugged in, unless the answer to the question before is still awaited."""
        if not self._is_asking:
            self._is_asking = True
            self._tasks.spawn(self._load_devices(), "look for sound devices")

    async def _load_devices(self) -> None:
        try:
            devices = await self._session.call(ListAudioDevices())
        except AppError as error:
            if self.dialog is not None and not self._was_troubled:
                self._was_troubled = True  # said once, not every few seconds
                self.dialog.show_error(error)
        else:
            self._was_troubled = False
            if self.dialog is not None:
                self.dialog.show_devices(devices)
        finally:
            self._is_asking = False

    @Slot()
    def _on_connected(self) -> None:
        if self.dialog is not None:
            self._load()

    @Slot(object)
    def _on_settings_changed(self, change: SettingsChanged) -> None:
        self._show_settings(change.values)

    @Slot()
    def _on_models_changed(self) -> None:
        if self.dialog is not None:
            self._tasks.spawn(self._load_settings(), "load voice settings")

    def _show_settings(self, values: Mapping[str, Any]) -> None:
        if self.dialog is not None:
            self.dialog.show_settings(values)

    # --- wishes

    @Slot(str, object)
    def change(self, name: str, value: object) -> None:
        """Store a setting."""
        self._tasks.spawn(self._store({name: value}), "store voice setting")

    @Slot()
    def _on_reset_requested(self) -> None:
        self._tasks.spawn(self._store(dict(DEFAULTS)), "reset voice settings")

    async def _store(self, values: dict[str, object]) -> None:
        try:
            stored = await self._session.call(UpdateSettings(values=values))
        except AppError as error:
            if self.dialog is not None:
                self.dialog.show_error(error)
                await self._load_settings()  # what is shown is what is stored
            return
        self._show_settings(stored.values)
        if "microphone" in values and self.listener.is_active:
            self._is_changing = True  # the test goes on with the other one
            self.listener.cancel()
        if self.dialog is not None and {"speech_model", "voice"} & values.keys():
            await self._load_settings()  # which one is used has changed

    @Slot()
    def _on_models_requested(self) -> None:
        self.close()  # it stands over the window that models are shown beside
        self.models_requested.emit()

    @Slot()
    def _on_folder_requested(self) -> None:
        if not self._open_dir(self._session.paths.recordings_dir) and self.dialog is not None:
            self.dialog.tell(self.tr("No recording has been kept yet, so there is no folder."))

    # --- tests

    @Slot(bool)
    def _on_microphone_test_requested(self, wanted: bool) -> None:
        if wanted:
            self.listener.start(test=True)
            if self.dialog is not None:
                self.dialog.microphone.show_testing(True)
        else:
            self._is_changing = False
            self.listener.cancel()

    @Slot(object)
    def _on_state_changed(self, state: MicrophoneState) -> None:
        if self.dialog is not None:
            self.dialog.microphone.show_state(state)

    @Slot()
    def _on_test_ended(self) -> None:
        is_changing, self._is_changing = self._is_changing, False
        if self.dialog is None:
            return
        self.dialog.microphone.show_testing(is_changing)
        if is_changing:
            self.listener.start(test=True)

    @Slot(object)
    def _on_test_recorded(self, recorded: Recorded) -> None:
        """Say why a test ended that nobody ended."""
        self._on_test_ended()
        if recorded.ended_by == "lost" and self.dialog is not None:
            words = self.tr("The microphone went away during the test.")
            hint = self.tr("Plug it in again, or choose another one.")
            self.dialog.show_error(AppError("microphone.lost", words, hint))

    @Slot(object)
    def _on_test_failed(self, error: AppError) -> None:
        if self.dialog is not None:
            self.dialog.microphone.show_testing(False)
            self.dialog.show_error(error)

    @Slot(bool)
    def _on_speaker_test_requested(self, wanted: bool) -> None:
        if not wanted:
            self._tasks.spawn(self._silence(), "stop voice test")
        elif self._sound is None:
            words = self.tr("This is the voice that reads your answers aloud. Nothing leaves this computer.")
            self._sound = self._session.stream(ReadAloud(reading=f"test-{next(_tests)}", text=words))
            self._tasks.spawn(self._follow_sound(self._sound), "test voice")
            if self.dialog is not None:
                self.dialog.reading.show_testing(True)

    async def _silence(self) -> None:
        with contextlib.suppress(AppError):  # the reading itself ends with the reason
            await self._session.call(StopReading())

    async def _follow_sound(self, stream: ReplyStream) -> None:
        try:
            async with contextlib.aclosing(stream) as bodies:
                async for _body in bodies:
                    pass
        except Cancelled:
            log.info("the test of the voice was stopped")
        except AppError as error:
            if self.dialog is not None:
                self.dialog.show_error(error)
        finally:
            self._sound = None
            if self.dialog is not None:
                self.dialog.reading.show_testing(False)
