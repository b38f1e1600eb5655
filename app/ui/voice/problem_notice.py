"""Under the text field: what is in the way of talking, with the steps that help."""

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.core.transcript_notes import DOUBTFUL_CODE, NOTES
from app.protocol.speech import Recorded
from app.ui.elements.banner import Banner, Step
from app.ui.toasts import announce
from app.ui.voice.language_names import language_name

_OF_SETTINGS = ("microphone.", "speaker.")
_OF_MODELS = frozenset(
    {
        "speech.none",
        "speech.not_found",
        "speech.model_missing",
        "speech.model_damaged",
        "speech.not_multilingual",
        "speech.no_memory",
        "voice.none",
        "voice.not_found",
        "voice.model_missing",
        "voice.model_damaged",
    }
)
_OF_CHOICE = frozenset(
    {"speech.not_multilingual", "speech.not_found", "voice.not_found", "speech.no_memory", "worker.died"}
)
_NOT_AGAIN = frozenset({"speech.none", "voice.none", "speech.not_multilingual"})


class ProblemNotice(QObject):
    """Speaks through a banner of the composer.

    Signals:
        settings_requested: show the voice settings.
        models_requested: show models and voices that can be fetched.
        retry_requested: try again what failed.
        insert_requested: text (str) that was doubted is wanted all the same.
    """

    settings_requested = Signal()
    models_requested = Signal()
    retry_requested = Signal()
    insert_requested = Signal(str)

    def __init__(self, banner: Banner, parent: QObject | None = None) -> None:
        """Speak through `banner`."""
        super().__init__(parent)
        self._banner = banner
        self._doubted = ""
        self._severity = ""

    @property
    def text(self) -> str:
        """What is said; empty where nothing is."""
        return "" if self._banner.isHidden() else self._banner.text

    def clear(self) -> None:
        """Take the words away."""
        self._banner.hide()

    @Slot()
    def on_sent(self) -> None:
        """Take a hint away whose question has been sent meanwhile; problems stay until they are closed."""
        if self._severity == "info":
            self.clear()

    def tell_error(self, error: AppError) -> None:
        """Say an error in its own words, with what helps."""
        words = f"{error.user_message} {error.hint}".strip()
        self._say("error", words, self._steps(error.code))

    def tell_doubt(self, recorded: Recorded, language: str) -> None:
        """Say that what was spoken is most likely in a language that the model does not know.

        Args:
            recorded: what came of it.
            language: that was set; empty: it is found out.
        """
        if language and language != "en":
            words = self.tr(
                "This does not sound like {0}. Choose the language that you speak, or let it be found out."
            ).format(language_name(language))
        else:
            words = " ".join(NOTES[DOUBTFUL_CODE])
        steps: list[Step] = [self._models_step(), self._settings_step()]
        self._doubted = recorded.text
        if recorded.text:
            steps.append((self.tr("Insert it all the same"), self._on_insert))
        self._say("warning", words, steps)

    def tell_nothing_heard(self) -> None:
        """Say that no words came."""
        words = self.tr("No words were understood. Speak a little closer to the microphone, or test it.")
        self._say("info", words, [self._retry_step(), self._settings_step()])

    def tell_too_early(self) -> None:
        """Say that the microphone was not open yet."""
        words = self.tr("The microphone was still being opened. Wait until its clock runs, then speak.")
        self._say("info", words, [])

    def tell_lost(self, *, has_text: bool) -> None:
        """Say that the microphone went away."""
        words = self.tr("The microphone went away while you spoke.")
        if has_text:
            words += " " + self.tr("What came before is in the text field.")
        words += " " + self.tr("Plug it in again, or choose another one.")
        self._say("warning", words, [self._retry_step(), self._settings_step()])

    def tell_limit(self) -> None:
        """Say that it was too long for one talk."""
        self._say("info", self.tr("That was as long as one talk can be. Talk again to go on."), [])

    def tell_waits(self) -> None:
        """Say why it was not sent."""
        self._say("info", self.tr("An answer is still being written. Send this when it is done."), [])

    def tell(self, severity: str, words: str) -> None:
        """Say other words."""
        self._say(severity, words, [])

    def _steps(self, code: str) -> list[Step]:
        steps: list[Step] = []
        if code in _OF_MODELS:
            steps.append(self._models_step())
        if code not in _NOT_AGAIN:
            steps.append(self._retry_step())
        if code.startswith(_OF_SETTINGS) or code in _OF_CHOICE:
            steps.append(self._settings_step())
        return steps

    def _settings_step(self) -> Step:
        return self.tr("Voice settings…"), self.settings_requested.emit

    def _models_step(self) -> Step:
        return self.tr("Models…"), self.models_requested.emit

    def _retry_step(self) -> Step:
        return self.tr("Try again"), self.retry_requested.emit

    def _say(self, severity: str, words: str, steps: list[Step]) -> None:
        self._severity = severity
        self._banner.say(severity, words, steps)
        announce(self._banner, words, urgent=severity == "error")

    @Slot()
    def _on_insert(self) -> None:
        self.clear()
        self.insert_requested.emit(self._doubted)
