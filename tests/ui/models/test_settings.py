"""A model's settings: editors from the schema, live advice and preview, and what saving sends."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, UsageError
from app.core.model_settings import ModelSettings
from app.core.prompt_formats import PromptFormat
from app.protocol.models import (
    Fit,
    FitModel,
    GetModelSettings,
    PreviewPrompt,
    PromptPreview,
    UpdateModelSettings,
)
from app.ui.models.fit_line import FitLine
from app.ui.models.settings_dialog import ModelSettingsDialog
from app.ui.models.settings_editors import ChoiceEditor, Editor, NumberEditor, TextEditor, ToggleEditor
from app.ui.models.settings_files import LoraEditor, ProjectorEditor
from app.ui.models.settings_form import SettingRow
from app.ui.models.settings_schema import (
    FieldSpec,
    automatic_words,
    choice_words,
    fields_of,
    group_words,
)
from app.ui.models.template_box import TemplateEditor
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models import samples
from tests.ui.models.conftest import Shown, words
from tests.ui.models.samples import QWEN, SMOL

SPECS = {spec.name: spec for spec in fields_of(ModelSettings.model_json_schema())}


# ------------------------------------------------------------------------------------------------- the schema


def test_every_setting_of_the_program_gets_an_editor() -> None:
    assert set(SPECS) == set(ModelSettings.model_fields)
    assert SPECS["context_length"].automatic == (None, 0)
    assert SPECS["gpu_layers"].automatic == (-1,) and SPECS["gpu_layers"].default == -1
    assert SPECS["top_p"].is_above_minimum and SPECS["top_p"].maximum == 1.0
    assert SPECS["kv_type"].choices == ("auto", "f16", "q8_0", "q4_0")
    assert SPECS["stop"].kind == "lines" and SPECS["stop"].max_items == 16
    assert SPECS["system_prompt"].n_lines == 4 and SPECS["system_prompt"].max_length == 20_000
    assert SPECS["xtc_probability"].is_advanced and not SPECS["temperature"].is_advanced
    assert SPECS["flash_attention"].is_advanced and not SPECS["prompt_lookup"].is_advanced


def test_a_newer_hosts_settings_of_unknown_kinds_are_left_out() -> None:
    schema = {
        "properties": {
            "odd": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "deep": {"type": "array", "items": {"type": "object"}},
            "map": {"type": "object"},
            "fresh": {"type": "integer", "group": "Unheard of", "default": 3},
        }
    }
    (fresh,) = fields_of(schema)
    assert (fresh.name, fresh.title, fresh.group) == ("fresh", "fresh", "Loading")
    assert fields_of({}) == ()


def test_words_of_the_schema() -> None:
    assert automatic_words(SPECS["gpu_layers"], None) == "As many as fit"
    assert automatic_words(SPECS["context_length"], 0) == "Automatic"
    assert automatic_words(SPECS["top_p"], 0.95) == "Program's setting: 0.95"
    assert automatic_words(SPECS["seed"], None) == "Another one each time"
    assert choice_words("kv_type", "q8_0") == "q8_0: half the memory"
    assert choice_words("flash_attention", "on") == "On" and choice_words("x", "y") == "y"
    assert group_words("Other") == "Other"
    assert SPECS["kv_type"].matches(["cache", "exactly"]) and not SPECS["kv_type"].matches(["penalty"])
    assert SPECS["context_length"].is_automatic(0) and not SPECS["temperature"].is_automatic(0.0)


# ---------------------------------------------------------------------------------------------- the editors


def number(name: str, theme: Theme, qtbot: QtBot, inherited: Any = None) -> NumberEditor:
    editor = NumberEditor(SPECS[name], theme, inherited)
    qtbot.addWidget(editor)
    return editor


def test_a_number_can_be_left_to_the_program(theme: Theme, qtbot: QtBot) -> None:
    editor = number("context_length", theme, qtbot)
    editor.set_value(None)
    assert editor.box.isChecked() and editor.value is None
    assert editor.field.isHidden() and editor.slider.isHidden()
    editor.set_value(0)
    assert editor.value is None  # 0 means the same
    editor.suggest(6144)
    with qtbot.waitSignal(editor.changed):
        editor.box.click()
    assert editor.value == 6144 and not editor.field.isHidden()
    editor.suggest(9000)
    assert editor.value == 6144  # the user's own number stays


def test_the_slider_and_the_field_go_together(theme: Theme, qtbot: QtBot) -> None:
    editor = number("context_length", theme, qtbot)
    editor.limit(32768)
    editor.set_value(32768)
    assert editor.slider.value() == editor.slider.maximum()
    with qtbot.waitSignal(editor.changed):
        editor.slider.setValue(0)
    assert editor.value == 256
    editor.slider.setValue(500)
    assert editor.value % 256 == 0 and 256 < editor.value < 32768
    editor.set_value(100_000)  # more than the model was made for is the user's own affair
    assert editor.value == 100_000
    editor.limit(-5)
    share = number("temperature", theme, qtbot, 0.7)
    assert share.box.text() == "Program's setting: 0.7" and share.field.value() == 0.7
    share.set_value(0.0)
    assert share.value == 0.0 and not share.box.isChecked()
    share.slider.setValue(500)
    assert share.value == 1.0


def test_layers_end_where_the_model_ends(theme: Theme, qtbot: QtBot) -> None:
    editor = number("gpu_layers", theme, qtbot)
    editor.set_value(-1)
    assert editor.value == -1 and editor.box.text() == "As many as fit"
    editor.set_value(5)
    assert editor.slider.isHidden()  # a thousand layers invite no slider
    editor.limit(32)
    assert not editor.slider.isHidden()
    editor.slider.setValue(editor.slider.maximum())
    assert editor.value == 32
    editor.box.click()
    assert editor.value == -1


def test_bounds_cannot_be_passed(theme: Theme, qtbot: QtBot) -> None:
    editor = number("top_p", theme, qtbot)
    editor.set_value(0.5)
    editor.field.setValue(0.0)
    assert editor.value == 0.01
    editor.field.setValue(7)
    assert editor.value == 1.0
    seed = number("seed", theme, qtbot)
    seed.set_value(4_294_967_294)
    assert seed.value == 4_294_967_294 and seed.slider.isHidden()


def test_texts_lists_and_switches(theme: Theme, qtbot: QtBot) -> None:
    stop = TextEditor(SPECS["stop"])
    qtbot.addWidget(stop)
    stop.set_value(["</s>", "a\nb"])
    assert stop.text is not None and stop.text.toPlainText() == "</s>\na\\nb"
    assert stop.value == ["</s>", "a\nb"] and stop.problem == ""
    stop.text.setPlainText("\n".join(map(str, range(17))))
    assert stop.problem == "At most 16 texts; these are 17."
    prompt = TextEditor(SPECS["system_prompt"])
    qtbot.addWidget(prompt)
    prompt.set_value("Be kind.\nBe short.")
    assert prompt.value == "Be kind.\nBe short."
    prompt.set_value("x" * 20_001)
    assert "these are 20001" in prompt.problem.replace(",", "")
    line = TextEditor(FieldSpec("n", "Name", "", "Loading", "text"))
    qtbot.addWidget(line)
    line.set_value("one")
    with qtbot.waitSignal(line.changed):
        assert line.line is not None
        QTest.keyClicks(line.line, "s")
    assert line.value == "ones"
    switch = ToggleEditor(SPECS["prompt_lookup"], theme)
    qtbot.addWidget(switch)
    switch.set_value(True)
    assert switch.value is True
    with qtbot.waitSignal(switch.changed):
        switch.box.click()
    assert switch.value is False


def test_a_choice_that_is_not_offered_is_not_lost(theme: Theme, qtbot: QtBot) -> None:
    editor = ChoiceEditor(SPECS["draft_model"], theme, (("", "None"),))
    qtbot.addWidget(editor)
    editor.set_value("a model that is gone")
    assert editor.value == "a model that is gone"
    with qtbot.waitSignal(editor.changed):
        editor.box.setCurrentIndex(0)
    assert editor.value == ""


def test_the_wheel_scrolls_the_page_and_changes_nothing(theme: Theme, qtbot: QtBot) -> None:
    for editor, target in (
        ((a := number("temperature", theme, qtbot)), a.field),
        ((b := number("temperature", theme, qtbot)), b.slider),
        ((c := ChoiceEditor(SPECS["kv_type"], theme)), c.box),
    ):
        editor.set_value(editor.spec.choices[1] if editor.spec.choices else 0.5)
        before = editor.value
        event = QWheelEvent(
            QPointF(2, 2),
            QPointF(2, 2),
            QPoint(0, 0),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        event.accept()
        target.wheelEvent(event)
        assert editor.value == before and not event.isAccepted()
    c.deleteLater()


def test_the_base_of_editors_shows_nothing(qtbot: QtBot) -> None:
    editor = Editor(SPECS["seed"])
    qtbot.addWidget(editor)
    with pytest.raises(NotImplementedError):
        _ = editor.value
    with pytest.raises(NotImplementedError):
        editor.set_value(1)


def test_a_row_marks_what_is_changed_and_resets_it(theme: Theme, qtbot: QtBot) -> None:
    spec = SPECS["temperature"]
    row = SettingRow(spec, NumberEditor(spec, theme), theme)
    qtbot.addWidget(row)
    row.set_value(None)
    assert not row.is_changed and row.badge.isHidden() and row.reset_button.isHidden()
    row.set_value(0.7)
    assert row.is_changed and not row.badge.isHidden()
    assert row.reset_button.accessibleName() == "Reset “Temperature”"
    with qtbot.waitSignal(row.changed):
        row.reset_button.click()
    assert row.value is None and row.badge.isHidden()
    row.refuse("The host says no.")
    assert row.problem.text == "The host says no."
    with qtbot.waitSignal(row.changed):
        row.editor.box.click()
    assert row.problem.text == ""


# ------------------------------------------------------------------------------------------------ the dialog


async def settings(shown: Shown, **stored: Any) -> ModelSettingsDialog:
    shown.host.settings = samples.settings_body(**stored)
    shown.controller.open_settings(QWEN.name)
    await until(lambda: shown.controller.settings.dialog is not None)
    dialog = shown.controller.settings.dialog
    assert dialog is not None
    await until(lambda: dialog.isVisible() and not dialog.fit.isHidden())
    return dialog


def row(dialog: ModelSettingsDialog, name: str) -> Any:
    return dialog.form.rows[name]


async def saved(session: FakeSession) -> dict[str, Any]:
    await until(lambda: session.sent(UpdateModelSettings))
    return session.sent(UpdateModelSettings)[-1].values


async def test_stored_values_are_marked_and_counted(shown: Shown) -> None:
    dialog = await settings(shown, temperature=0.7, xtc_probability=0.2)
    assert dialog.count.text() == "2 are changed"
    assert not row(dialog, "temperature").badge.isHidden() and row(dialog, "top_p").badge.isHidden()
    assert not row(dialog, "xtc_probability").isHidden()  # unfolded, because it is in force
    assert row(dialog, "top_p").editor.box.text() == "Program's setting: 0.95"
    loading = dialog.form.groups["Loading"]
    assert row(dialog, "flash_attention").isHidden()
    loading.more_button.click()
    assert not row(dialog, "flash_attention").isHidden() and loading.more_button.text() == "Fewer settings"
    loading.more_button.click()
    assert row(dialog, "flash_attention").isHidden()
    assert row(dialog, "context_length").editor._slider_high == QWEN.context_trained


async def test_only_what_was_changed_is_sent(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown, temperature=0.7, min_p=0.1)
    row(dialog, "temperature").reset_button.click()
    row(dialog, "kv_type").editor.box.setCurrentIndex(2)
    row(dialog, "prompt_lookup").editor.box.click()
    dialog.save_button.click()
    assert await saved(session) == {"temperature": None, "kv_type": "q8_0", "prompt_lookup": False}
    await until(lambda: shown.controller.settings.dialog is None)


async def test_nothing_changed_sends_nothing(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown, temperature=0.7)
    dialog.save_button.click()
    await until(lambda: shown.controller.settings.dialog is None)
    assert session.sent(UpdateModelSettings) == []
    dialog = await settings(shown, temperature=0.7)
    row(dialog, "temperature").reset_button.click()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await until(lambda: shown.controller.settings.dialog is None)
    assert session.sent(UpdateModelSettings) == []


async def test_all_are_reset_at_once(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(
        shown, temperature=0.7, stop=["###"], loras=[{"path": "/data/a.gguf", "scale": 0.5}]
    )
    assert dialog.count.text() == "3 are changed"
    dialog.reset_button.click()
    assert dialog.count.text() == "All are at their defaults" and not dialog.reset_button.isEnabled()
    dialog.save_button.click()
    assert await saved(session) == {"temperature": None, "stop": None, "loras": None}


async def test_a_setting_is_found_by_its_words(shown: Shown) -> None:
    dialog = await settings(shown)
    QTest.keyClicks(dialog.search, "penalty")
    found = [name for name, each in dialog.form.rows.items() if not each.isHidden()]
    assert "repeat_penalty" in found and "dry_multiplier" in found and "temperature" not in found
    assert dialog.form.groups["Loading"].isHidden()
    QTest.keyClicks(dialog.search, " nothing like this")
    assert not dialog.form.nothing.isHidden()
    dialog.search.clear()
    assert not row(dialog, "temperature").isHidden() and row(dialog, "dry_multiplier").isHidden()


async def test_the_advice_follows_what_is_chosen(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    assert session.sent(FitModel)[0] == FitModel(name=QWEN.name)
    assert "Slow: about 3 words a second" in words(dialog.fit)
    assert "needs 5.1 GB, 7.9 GB free" in words(dialog.fit)
    context = row(dialog, "context_length").editor
    context.box.click()
    assert context.value == 8192  # what the advice had chosen
    for position in range(600, 1000, 25):
        context.slider.setValue(position)
    await until(lambda: "leaves only 0.6 GB" in words(dialog.fit))
    assert len(session.sent(FitModel)) < 6  # not one for each step of the slider
    row(dialog, "kv_type").editor.box.setCurrentIndex(2)
    row(dialog, "gpu_layers").editor.box.click()
    await until(lambda: session.sent(FitModel)[-1].kv_type == "q8_0")
    assert session.sent(FitModel)[-1].gpu_layers == 0
    session.reply(FitModel, AppError("model.damaged", "The file's head cannot be read."))
    row(dialog, "kv_type").editor.box.setCurrentIndex(0)
    await until(lambda: "The file's head cannot be read." in words(dialog.fit))


def test_advice_about_a_gpu_names_its_layers(theme: Theme, qtbot: QtBot) -> None:
    line = FitLine(theme)
    qtbot.addWidget(line)
    line.show_fit(
        replace(
            samples.GOOD, n_gpu_layers=20, gpu_needed_bytes=samples.GIB, gpu_available_bytes=2 * samples.GIB
        )
    )
    assert "20 of 32 layers on the GPU, which needs 1.0 GB of 2.0 GB free there" in words(line)
    assert "9.9 GB free" in words(line)
    theme.set_setting("dark")
    assert theme.colour("ok").name() in line.bar.styleSheet()
    line.show_fit(Fit(verdict="unknown", words="nothing was measured"))
    assert line.bar.isHidden() and "Nothing was measured" in words(line)


async def test_a_refused_value_is_named_in_place(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    no_way = UsageError("settings.invalid", "The setting draft_model cannot be that: no such model.")
    session.reply(UpdateModelSettings, no_way)
    box = row(dialog, "draft_model").editor.box
    box.setCurrentIndex(box.findData(SMOL.name))
    dialog.save_button.click()
    await until(lambda: row(dialog, "draft_model").problem.text)
    assert "no such model" in row(dialog, "draft_model").problem.text
    assert "no such model" in dialog.banner.text and dialog.isVisible()
    session.reply(UpdateModelSettings, AppError("settings.invalid", "No.", context={"name": "temperature.x"}))
    dialog.save_button.click()
    await until(lambda: row(dialog, "temperature").problem.text == "No.")
    session.reply(UpdateModelSettings, AppError("host.lost", "The connection was lost."))
    dialog.save_button.click()
    await until(lambda: dialog.banner.text == "The connection was lost.")


async def test_what_cannot_be_is_not_saved(shown: Shown) -> None:
    dialog = await settings(shown)
    text = row(dialog, "stop").editor.text
    text.setPlainText("\n".join("abcdefghijklmnopq"))
    assert row(dialog, "stop").problem.text == "At most 16 texts; these are 17."
    assert not dialog.save_button.isEnabled()
    text.setPlainText("###")
    assert dialog.save_button.isEnabled() and row(dialog, "stop").problem.text == ""


async def test_adapters_are_added_weighed_and_removed(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    editor = row(dialog, "loras").editor
    assert isinstance(editor, LoraEditor)
    editor.add_button.click()
    await until(lambda: "models.adapter" not in editor._tasks.names)
    assert editor.value == []  # the user gave up
    shown.answers.file = "/data/legal.gguf"
    editor.add_button.click()
    await until(lambda: len(editor.lines) == 1)
    editor.lines[0].field.setValue(0.5)
    assert editor.value == [{"path": "/data/legal.gguf", "scale": 0.5}]
    editor.add_button.click()
    await until(lambda: len(editor.lines) == 2)
    assert row(dialog, "loras").problem.text == "legal.gguf stands here twice."
    assert not dialog.save_button.isEnabled()
    editor.lines[1].remove_button.click()
    editor.set_value([{"path": f"/data/{i}.gguf"} for i in range(9)])
    assert editor.problem == "At most 8 adapters."
    editor.set_value([{"path": "/data/legal.gguf", "scale": 0.5}])
    dialog.save_button.click()
    assert await saved(session) == {"loras": [{"path": "/data/legal.gguf", "scale": 0.5}]}


async def test_the_projector_is_chosen_or_that_beside_the_model(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    editor = row(dialog, "projector").editor
    assert isinstance(editor, ProjectorEditor) and editor.name.full_text == "The one beside the model"
    editor.choose_button.click()
    await until(lambda: "models.projector" not in editor._tasks.names)
    shown.answers.file = "/data/mmproj.gguf"
    editor.choose_button.click()
    await until(lambda: editor.value == "/data/mmproj.gguf")
    assert editor.name.full_text == "mmproj.gguf"
    editor.clear_button.click()
    assert editor.value == "" and editor.clear_button.isHidden()


async def test_a_draft_model_is_another_model(shown: Shown) -> None:
    dialog = await settings(shown)
    box = row(dialog, "draft_model").editor.box
    names = [box.itemData(index) for index in range(box.count())]
    assert names[0] == "" and SMOL.name in names and QWEN.name not in names


# ---------------------------------------------------------------------------------------- the prompt's format


def template(dialog: ModelSettingsDialog) -> TemplateEditor:
    assert dialog.template is not None
    return dialog.template


async def test_the_preview_follows_format_and_template(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    await until(lambda: template(dialog).preview.toPlainText() == "<|user|>\nHello\n")
    formats = row(dialog, "prompt_format").editor.box
    formats.setCurrentIndex(formats.findData("chatml"))
    await until(lambda: session.sent(PreviewPrompt)[-1].format == "chatml")
    n_asked = len(session.sent(PreviewPrompt))
    shown.host.preview = PromptPreview(text="[INST] Hello", stop=("[INST]", "</s>"))
    for letter in "{{ messages }}":
        template(dialog).text.insertPlainText(letter)
    await until(lambda: session.sent(PreviewPrompt)[-1].template == "{{ messages }}")
    await until(lambda: template(dialog).stops.text())
    assert len(session.sent(PreviewPrompt)) == n_asked + 1  # one for all the keys
    assert session.sent(PreviewPrompt)[-1] == PreviewPrompt(
        model=QWEN.name, format="chatml", template="{{ messages }}"
    )
    assert template(dialog).preview.toPlainText() == "[INST] Hello"
    assert template(dialog).stops.text() == "An answer ends at “[INST]”, “</s>”"
    dialog.save_button.click()
    assert await saved(session) == {"prompt_format": "chatml", "template": "{{ messages }}"}


async def test_a_faulty_template_is_told_with_its_line(shown: Shown) -> None:
    dialog = await settings(shown)
    editor = template(dialog)
    await until(lambda: editor.preview.toPlainText())
    shown.host.preview = PromptPreview(
        text="", problem="The template ends too early in line 2.", hint="Add {% endfor %}."
    )
    editor.text.setPlainText("{% for m in messages %}\n{{ m.content }}")
    await until(lambda: "in line 2" in editor.status.text)
    assert "Add {% endfor %}." in editor.status.text
    (mark,) = editor.text.extraSelections()
    assert mark.cursor.blockNumber() == 1
    assert editor.preview.toPlainText() == "<|user|>\nHello\n"  # the last good one stays
    shown.host.preview = PromptPreview(text="good")
    editor.text.setPlainText("{{ messages }}")
    await until(lambda: editor.preview.toPlainText() == "good")
    assert editor.text.extraSelections() == [] and editor.status.text == "The prompt can be written"


def test_the_marked_line_follows_the_theme(theme: Theme, qtbot: QtBot) -> None:
    editor = TemplateEditor(SPECS["template"], theme)
    qtbot.addWidget(editor)
    editor.set_value("one\ntwo")
    editor.show_preview(PromptPreview(text="", problem="line 2 is odd"))
    theme.set_setting("dark")
    (mark,) = editor.text.extraSelections()
    assert mark.format.background().color() == theme.colour("error_soft")
    editor.show_preview(PromptPreview(text="", problem="line 99 is odd"))
    assert editor.text.extraSelections() == []


async def test_a_stale_preview_is_dropped(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    editor = template(dialog)
    await until(lambda: editor.preview.toPlainText())
    late = asyncio.Event()

    async def answer(request: PreviewPrompt) -> PromptPreview:
        if request.template == "slow":
            await late.wait()
        return PromptPreview(text=f"of {request.template}")

    session.reply(PreviewPrompt, answer)
    editor.text.setPlainText("slow")
    await until(lambda: session.sent(PreviewPrompt)[-1].template == "slow")
    editor.text.setPlainText("quick")
    await until(lambda: editor.preview.toPlainText() == "of quick")
    late.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert editor.preview.toPlainText() == "of quick"


async def test_a_preview_that_cannot_be_had_says_why(shown: Shown, session: FakeSession) -> None:
    session.reply(PreviewPrompt, AppError("worker.died", "The model's process ended.", "Try again."))
    dialog = await settings(shown)
    await until(lambda: template(dialog).status.text == "The model's process ended. Try again.")


async def test_a_template_can_begin_with_the_formats_text(shown: Shown) -> None:
    shown.controller.settings._formats = (
        PromptFormat(name="own", title="Own", note="", template="{{ bos }}"),
    )
    dialog = await settings(shown)
    editor = template(dialog)
    assert editor.insert_button.isHidden()
    formats = row(dialog, "prompt_format").editor.box
    formats.setCurrentIndex(formats.findData("own"))
    await until(lambda: not editor.insert_button.isHidden())
    editor.insert_button.click()
    assert editor.value == "{{ bos }}"
    editor.spec = replace(editor.spec, max_length=20)
    editor.set_value("x" * 21)
    assert editor.problem == "At most 20 characters."


# ---------------------------------------------------------------------------------------------------- opening


async def test_settings_open_once(shown: Shown, session: FakeSession) -> None:
    dialog = await settings(shown)
    shown.installed.settings_requested.emit(SMOL)
    assert shown.controller.settings.dialog is dialog
    assert len(session.sent(GetModelSettings)) == 1


async def test_settings_that_cannot_be_had_say_why(shown: Shown, session: FakeSession) -> None:
    session.reply(GetModelSettings, AppError("model.not_found", "There is no such model.", "Look again."))
    shown.installed.settings_requested.emit(QWEN)
    await until(lambda: shown.installed.banner.text == "There is no such model. Look again.")
    assert shown.controller.settings.dialog is None


async def test_an_older_hosts_schema_without_prompts_works(shown: Shown) -> None:
    shown.host.settings = replace(
        samples.settings_body(seed=5), schema={"properties": {"seed": {"type": "integer", "default": 1}}}
    )
    shown.controller.open_settings(QWEN.name)
    await until(lambda: (d := shown.controller.settings.dialog) is not None and d.isVisible())
    dialog = shown.controller.settings.dialog
    assert dialog is not None and dialog.template is None
    await until(lambda: not dialog.fit.isHidden())
