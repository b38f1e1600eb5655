"""What is known of one model here, and what can be done with it."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.protocol.models import Loaded, ModelEntry
from app.ui.models.flow import FlowBox
from app.ui.models.parts import FactsGrid, MarkLabel, breakable, card, plain_label, push_button, scrolling
from app.ui.models.words import (
    SOUND_KINDS,
    Mark,
    counted,
    fit_mark,
    kind_words,
    memory_words,
    number_words,
    parameter_words,
    size_words,
    source_words,
    speed_words,
    state_mark,
    tokens_words,
)
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS


class InstalledDetails(QWidget):
    """Shows one ModelEntry.

    Signals:
        load_requested, unload_requested, cancel_requested, default_requested, use_requested,
        settings_requested, folder_requested, remove_requested: what the buttons say, about the model shown
        (object).
    """

    load_requested = Signal(object)
    unload_requested = Signal(object)
    cancel_requested = Signal(object)
    default_requested = Signal(object)
    use_requested = Signal(object)
    settings_requested = Signal(object)
    folder_requested = Signal(object)
    remove_requested = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it without a model."""
        super().__init__(parent)
        self._model: ModelEntry | None = None
        self.title = plain_label("", "heading")
        self.state, self.standard, self.fit = MarkLabel(theme), MarkLabel(theme), MarkLabel(theme)
        self.note = plain_label("", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName(self.tr("Progress of loading"))
        self.memory = MemoryBox()
        self.facts = FactsGrid()
        self._add_buttons(theme)
        self._lay_out()

    @property
    def model(self) -> ModelEntry | None:
        """The model shown."""
        return self._model

    def show_model(
        self, model: ModelEntry, *, is_default: bool, progress: float | None = None, note: str = ""
    ) -> None:
        """Show a model as it is now."""
        self._model = model
        self.title.setText(breakable(model.name))
        self.state.show_mark(self._state(model, progress))
        words = self._duty(model.kind)
        self.standard.show_mark(Mark("star", words, "accent") if is_default else None)
        self.fit.show_mark(fit_mark(model.fit) if model.state not in ("broken", "missing") else None)
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.bar.setVisible(model.state == "loading")
        self.bar.setValue(round(1000 * (progress or 0)))
        self.memory.show_loaded(model.loaded if model.state == "loaded" else None)
        self.facts.show_facts(self._facts(model))
        self._show_buttons(model, is_default=is_default)

    def _duty(self, kind: str) -> str:
        """Say what the model does that is used for its kind."""
        if kind == "speech":
            return self.tr("Understands what you say")
        if kind == "voice":
            return self.tr("Reads aloud")
        return self.tr("Answers wherever no other model is chosen")

    def _state(self, model: ModelEntry, progress: float | None) -> Mark | None:
        mark = state_mark(model, progress)
        if mark is None or not model.problem:
            return mark
        words = f"{mark.words}: {model.problem} {model.hint}".strip()
        return Mark(mark.icon, words, mark.role)

    def _facts(self, model: ModelEntry) -> list[tuple[str, str]]:
        checked = self.tr("checked against its published fingerprint") if model.verified else ""
        source = ", ".join(part for part in (source_words(model.source), checked) if part)
        is_read = model.state not in ("broken", "missing")  # of others the file's head is not known
        legacy = self.tr("GGML, from before GGUF (runs on the older engine)")
        template = (
            self.tr("Its own") if model.has_template else self.tr("None of its own; a standard one is used")
        )
        images = self.tr("Yes, through {0}").format(model.projector) if model.projector else ""
        return [
            (self.tr("Use"), kind_words(model.kind)),
            (self.tr("Source"), source),
            (self.tr("Size on disk"), size_words(model.size_bytes) if model.size_bytes else ""),
            (self.tr("Parameters"), parameter_words(model.n_params)),
            (self.tr("Quantization"), model.quantization),
            (self.tr("Made for"), tokens_words(model.context_trained) if model.context_trained else ""),
            (self.tr("Architecture"), model.architecture),
            (self.tr("Format"), legacy if model.format == "ggml" else _format_words(model.format)),
            (self.tr("Prompt format"), template if model.kind == "chat" and is_read else ""),
            (self.tr("Reads images"), images),
            (self.tr("Licence"), model.licence or (self.tr("Not named in the file") if is_read else "")),
            (self.tr("File"), model.path),
        ]

    def _show_buttons(self, model: ModelEntry, *, is_default: bool) -> None:
        is_chat = model.kind == "chat"
        is_usable = model.state not in ("broken", "missing")
        self.load_button.setVisible(is_chat and model.state == "available")
        self.unload_button.setVisible(model.state == "loaded" and is_chat)
        self.cancel_button.setVisible(model.state == "loading")
        self.default_button.setVisible(is_chat and is_usable and not is_default)
        is_sound = model.kind in SOUND_KINDS
        self.use_button.setVisible(is_sound and is_usable and not is_default)
        is_voice = model.kind == "voice"
        self.use_button.setText(self.tr("&Use this voice") if is_voice else self.tr("&Use for speech"))
        self.settings_button.setVisible(is_chat and is_usable)
        self.folder_button.setVisible(model.state != "missing")
        is_bundled = model.source == "bundled"
        self.remove_button.setEnabled(not is_bundled)
        words = self.tr("It belongs to the program and cannot be removed alone.")
        self.remove_button.setToolTip(words if is_bundled else "")
        self.remove_button.setAccessibleDescription(words if is_bundled else "")

    def _add_buttons(self, theme: Theme) -> None:
        tr = self.tr
        self.load_button = push_button(tr("&Load"), theme, "play", "primary")
        self.unload_button = push_button(tr("Un&load"), theme, "eject")
        self.cancel_button = push_button(tr("&Cancel loading"), theme, "close")
        self.default_button = push_button(tr("Use as &default"), theme, "star")
        self.use_button = push_button("", theme, "star", "primary")
        self.settings_button = push_button(tr("Se&ttings…"), theme, "sliders")
        self.folder_button = push_button(tr("Show in &folder"), theme, "folder")
        self.remove_button = push_button(tr("&Remove…"), theme, "trash")
        for button, slot in (
            (self.load_button, self._on_load_clicked),
            (self.unload_button, self._on_unload_clicked),
            (self.cancel_button, self._on_cancel_clicked),
            (self.default_button, self._on_default_clicked),
            (self.use_button, self._on_use_clicked),
            (self.settings_button, self._on_settings_clicked),
            (self.folder_button, self._on_folder_clicked),
            (self.remove_button, self._on_remove_clicked),
        ):
            button.clicked.connect(slot)

    def _lay_out(self) -> None:
        buttons = FlowBox(
            self.load_button,
            self.unload_button,
            self.cancel_button,
            self.default_button,
            self.use_button,
            self.settings_button,
            self.folder_button,
            self.remove_button,
        )
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(SPACE_L, SPACE_M, SPACE_L, SPACE_M)
        column.setSpacing(SPACE_S)
        for part in (self.title, self.state, self.bar, self.note, self.standard, self.fit):
            column.addWidget(part)
        column.addSpacing(SPACE_XS)
        column.addWidget(buttons)
        column.addSpacing(SPACE_S)
        column.addWidget(self.memory)
        column.addWidget(self.facts)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(card(scrolling(inner, self.tr("Details of the model")), margin=1))

    @Slot()
    def _on_load_clicked(self) -> None:
        self.load_requested.emit(self._model)

    @Slot()
    def _on_unload_clicked(self) -> None:
        self.unload_requested.emit(self._model)

    @Slot()
    def _on_cancel_clicked(self) -> None:
        self.cancel_requested.emit(self._model)

    @Slot()
    def _on_default_clicked(self) -> None:
        self.default_requested.emit(self._model)

    @Slot()
    def _on_use_clicked(self) -> None:
        self.use_requested.emit(self._model)

    @Slot()
    def _on_settings_clicked(self) -> None:
        self.settings_requested.emit(self._model)

    @Slot()
    def _on_folder_clicked(self) -> None:
        self.folder_requested.emit(self._model)

    @Slot()
    def _on_remove_clicked(self) -> None:
        self.remove_requested.emit(self._model)


def _format_words(name: str) -> str:
    """Write a format's name as its makers do."""
    return "CTranslate2" if name == "ctranslate2" else name.upper()


class MemoryBox(QWidget):
    """A loaded model: what was predicted beside what was measured."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        heading = QLabel(self.tr("In memory now"))
        set_role(heading, "muted")
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(SPACE_L)
        self._grid.setVerticalSpacing(SPACE_XS)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(3, 1)
        for column, words in enumerate((self.tr("Predicted"), self.tr("Measured")), start=1):
            self._grid.addWidget(plain_label(words, "faint"), 0, column)
            self._grid.setColumnStretch(column, 2)
        self.cells: dict[str, QLabel] = {}
        for row, (key, words) in enumerate(
            (("bytes", self.tr("Memory")), ("speed", self.tr("Writing speed"))), start=1
        ):
            self._grid.addWidget(plain_label(words, "muted"), row, 0)
            for column, what in enumerate(("predicted", "measured"), start=1):
                cell = plain_label("", "")
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                self.cells[f"{what}_{key}"] = cell
                self._grid.addWidget(cell, row, column)
        self.how = plain_label("", "muted")
        self.notes = plain_label("", "")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, SPACE_M)
        layout.setSpacing(SPACE_S)
        for part in (heading, self.how, self.notes):
            layout.addWidget(part)
        layout.insertLayout(1, self._grid)
        self.hide()

    def show_loaded(self, loaded: Loaded | None) -> None:
        """Show a loaded model's figures; None hides the box."""
        self.setVisible(loaded is not None)
        if loaded is None:
            return
        predicted = memory_words(loaded.predicted_bytes) if loaded.predicted_bytes else "–"
        measured = memory_words(loaded.measured_bytes) if loaded.measured_bytes else "–"
        asked = loaded.measured_tokens_per_s is not None
        speed = speed_words(loaded.measured_tokens_per_s) if asked else self.tr("after the first answer")
        for key, words in (
            ("predicted_bytes", predicted),
            ("measured_bytes", measured),
            ("predicted_speed", speed_words(loaded.predicted_tokens_per_s)),
            ("measured_speed", speed),
        ):
            self.cells[key].setText(words)
        self.how.setText(self._how(loaded))
        self.notes.setText("\n".join(loaded.notes))
        self.notes.setVisible(bool(loaded.notes))

    def _how(self, loaded: Loaded) -> str:
        words = self.tr("{0} of context, KV cache {1}").format(
            tokens_words(loaded.context_length), loaded.kv_type
        )
        if loaded.n_gpu_layers and loaded.n_layers:
            layers = self.tr("{0} of {1} layers on {2}")
            where = layers.format(number_words(loaded.n_gpu_layers), loaded.n_layers, loaded.device)
        else:
            threads = counted(loaded.n_threads, self.tr("1 thread"), self.tr("{0} threads"))
            where = self.tr("on the processor with {0}").format(threads)
        return f"{words} · {where}"
