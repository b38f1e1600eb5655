"""Opens a model's settings, keeps their advice and preview fresh, and stores what is changed."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.core.prompt_formats import FORMATS, PromptFormat
from app.protocol.models import (
    Fit,
    FitModel,
    GetModelSettings,
    ModelEntry,
    ModelSettingsBody,
    PreviewPrompt,
    PromptPreview,
    UpdateModelSettings,
)
from app.protocol.system import GetSettings
from app.ui.dialogs import run
from app.ui.models.questions import ModelQuestions
from app.ui.models.requests import Asker
from app.ui.models.settings_dialog import ModelSettingsDialog, SettingsChange
from app.ui.models.settings_editors import ChoiceEditor, Editor, NumberEditor, TextEditor, ToggleEditor
from app.ui.models.settings_files import LoraEditor, ProjectorEditor
from app.ui.models.settings_schema import FieldSpec, fields_of
from app.ui.models.template_box import TemplateEditor
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme

_FIT_PAUSE_MS = 120
_ROWS_A_TURN = 4


class ModelSettingsController(Asker):
    """Keeps the one open dialog of settings.

    Attributes:
        dialog: the open dialog; None while there is none.

    Signals:
        saved: name of the model whose settings were stored.
    """

    saved = Signal(str)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        questions: ModelQuestions,
        theme: Theme,
        over: Callable[[], QWidget],
        parent: QObject | None = None,
        formats: Sequence[PromptFormat] = FORMATS,
    ) -> None:
        """Show dialogs over the widget that `over` gives; offer `formats`."""
        super().__init__(session, tasks, parent)
        self._questions, self._theme, self._over = questions, theme, over
        self._formats = tuple(formats)
        self._models: tuple[ModelEntry, ...] = ()
        self._name = ""
        self.dialog: ModelSettingsDialog | None = None
        self._fit_timer = QTimer(self, singleShot=True, interval=_FIT_PAUSE_MS)
        self._fit_timer.timeout.connect(self._ask_fit)

    def set_models(self, models: Sequence[ModelEntry]) -> None:
        """Know the chat models here, for the choice of a draft model."""
        self._models = tuple(models)

    def open(self, name: str, model: ModelEntry | None = None) -> None:
        """Show a model's settings, or bring the open dialog to the front."""
        if self.dialog is not None:
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        model = model or next((each for each in self._models if each.name == name), None)
        self._tasks.spawn(self._open(name, model), "models.settings")

    async def _open(self, name: str, model: ModelEntry | None) -> None:
        try:
            body, settings = await asyncio.gather(
                self._session.call(GetModelSettings(name=name)), self._session.call(GetSettings())
            )
        except AppError as error:
            self.failed.emit(error)
            return
        if self.dialog is None:
            await self._show(name, model, body, settings.values)

    async def _show(
        self, name: str, model: ModelEntry | None, body: ModelSettingsBody, inherited: dict[str, Any]
    ) -> None:
        def make_editor(spec: FieldSpec) -> Editor:
            return self._new_editor(spec, inherited)

        self._name = name
        dialog = ModelSettingsDialog(name, make_editor, self._theme, self._over())
        self.dialog = dialog
        specs = fields_of(body.schema or {})
        for start in range(0, len(specs), _ROWS_A_TURN):
            dialog.form.add(specs[start : start + _ROWS_A_TURN])
            await asyncio.sleep(0)  # so many widgets at once would hold the window up
        dialog.save_requested.connect(self._on_save_requested)
        dialog.fit_wanted.connect(self._fit_timer.start)
        dialog.preview_wanted.connect(self._ask_preview)
        dialog.show_values(body.values, body.changed, model)
        self._show_format()
        self._ask_fit()
        try:
            await run(dialog)
        finally:
            self._fit_timer.stop()
            self.drop("fit")
            self.drop("preview")
            self.dialog = None

    # --- editors

    def _new_editor(self, spec: FieldSpec, inherited: dict[str, Any]) -> Editor:
        if spec.kind in ("integer", "number"):
            if spec.name == "mirostat":
                choices = ((0, self.tr("Off")), (1, self.tr("Version 1")), (2, self.tr("Version 2")))
                return ChoiceEditor(spec, self._theme, choices)
            return NumberEditor(spec, self._theme, inherited.get(spec.name))
        if spec.kind == "boolean":
            return ToggleEditor(spec, self._theme)
        if spec.kind == "choice":
            return ChoiceEditor(spec, self._theme)
        return self._new_own_editor(spec)

    def _new_own_editor(self, spec: FieldSpec) -> Editor:
        if spec.kind == "loras":
            return LoraEditor(spec, self._theme, self._tasks, self._questions.adapter_file)
        if spec.kind == "projector":
            return ProjectorEditor(spec, self._theme, self._tasks, self._questions.projector_file)
        if spec.kind == "prompt_format":
            own = ("", self.tr("The model's own template"))
            return ChoiceEditor(
                spec, self._theme, (own, *((each.name, each.title) for each in self._formats))
            )
        if spec.kind == "draft_model":
            names = [model.name for model in self._models if model.name != self._name]
            return ChoiceEditor(spec, self._theme, (("", self.tr("None")), *((each, each) for each in names)))
        if spec.kind == "template":
            return TemplateEditor(spec, self._theme)
        return TextEditor(spec)

    # --- advice and preview

    @Slot()
    def _ask_fit(self) -> None:
        if self.dialog is None:
            return
        values = self.dialog.values
        kv_type = values.get("kv_type", "auto")
        request = FitModel(
            name=self._name,
            context_length=values.get("context_length") or 0,
            kv_type="" if kv_type == "auto" else kv_type,
            gpu_layers=values.get("gpu_layers", -1),
        )
        self.ask_latest("fit", request, self._on_fit, self._on_fit_failed)

    def _on_fit(self, fit: Fit) -> None:
        if self.dialog is not None:
            self.dialog.show_fit(fit)

    def _on_fit_failed(self, error: AppError) -> None:
        if self.dialog is not None:
            self.dialog.fit.show_problem(error.user_message)

    @Slot()
    def _ask_preview(self) -> None:
        if self.dialog is None:
            return
        self._show_format()
        values = self.dialog.values
        request = PreviewPrompt(
            model=self._name, format=values.get("prompt_format", ""), template=values.get("template", "")
        )
        self.ask_latest("preview", request, self._on_preview, self._on_preview_failed)

    def _show_format(self) -> None:
        assert self.dialog is not None
        chosen = self.dialog.values.get("prompt_format", "")
        template = next((each.template for each in self._formats if each.name == chosen), "")
        if self.dialog.template is not None:
            self.dialog.template.set_format_template(template)

    def _on_preview(self, preview: PromptPreview) -> None:
        if self.dialog is not None and self.dialog.template is not None:
            self.dialog.template.show_preview(preview)

    def _on_preview_failed(self, error: AppError) -> None:
        if self.dialog is not None and self.dialog.template is not None:
            self.dialog.template.show_problem(f"{error.user_message} {error.hint}".strip())

    # --- saving

    @Slot(object)
    def _on_save_requested(self, change: SettingsChange) -> None:
        request = UpdateModelSettings(name=self._name, values=change.values)
        self.ask(request, self._on_saved, self._on_save_failed)

    def _on_saved(self, _body: ModelSettingsBody) -> None:
        if self.dialog is not None:
            self.dialog.accept()
        self.saved.emit(self._name)

    def _on_save_failed(self, error: AppError) -> None:
        if self.dialog is not None:
            self.dialog.show_error(error)
