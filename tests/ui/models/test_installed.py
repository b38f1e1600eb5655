"""The page of models here: what it says of each, and what it does with them."""

import asyncio
from dataclasses import replace

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, ModelError
from app.protocol.models import (
    ChooseModel,
    FoundFolders,
    ImportModel,
    ListModels,
    ModelsChanged,
    RemoveModel,
    UnloadModelNamed,
    UseFolder,
)
from app.protocol.system import UpdateSettings
from app.ui.models.installed_controller import model_paths
from app.ui.models.questions import Removal
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models import samples
from tests.ui.models.conftest import Make, Shown, words
from tests.ui.models.samples import BROKEN, EMBEDDER, LOADING, MISSING, QWEN, SMOL

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def spoken(shown: Shown, name: str) -> str:
    index = shown.controller.installed.models.index_of(name)
    return str(index.data(Qt.ItemDataRole.AccessibleTextRole))


def choose(shown: Shown, name: str) -> str:
    shown.installed.list.choose(name)
    return words(shown.installed.details)


async def test_each_model_says_how_it_stands(shown: Shown) -> None:
    QAbstractItemModelTester(shown.controller.installed.models, FATAL)
    assert spoken(shown, SMOL.name).startswith(
        f"{SMOL.name}, In memory, Default, Runs well: about 24 words a second"
    )
    assert "Slow: about 3 words a second" in spoken(shown, QWEN.name)
    assert "Cannot be used, The file ends in the middle" in spoken(shown, BROKEN.name)
    assert "File is missing" in spoken(shown, MISSING.name)
    assert "Search by meaning" in spoken(shown, EMBEDDER.name)
    assert shown.installed.count.text() == "6 models · the models folder takes 4.4 GB"


async def test_nothing_is_said_of_what_stands_in_a_file_that_cannot_be_read(shown: Shown) -> None:
    for name in (BROKEN.name, MISSING.name):
        choose(shown, name)
        facts = dict(shown.installed.details.facts.facts)
        assert "Prompt format" not in facts and "Licence" not in facts and facts["File"]


async def test_the_list_is_shown_before_the_advice_has_come(make: Make, session: FakeSession) -> None:
    shown = make()
    shown.controller.open()
    await until(lambda: shown.controller.installed.is_listed)
    assert shown.controller.installed.models.by_key(QWEN.name).fit is None
    await until(lambda: "Slow" in spoken(shown, QWEN.name))
    session.deliver(ModelsChanged())
    await until(lambda: len(session.sent(ListModels)) == 4)
    assert "Slow" in spoken(shown, QWEN.name)  # what was known stays until it is known anew


async def test_the_default_model_is_chosen_and_its_details_are_told(shown: Shown) -> None:
    assert shown.installed.list.current.name == SMOL.name
    told = words(shown.installed.details)
    facts = dict(shown.installed.details.facts.facts)
    assert facts["Source"] == "Came with the program, checked against its published fingerprint"
    assert facts["Licence"] == "Apache-2.0" and facts["Quantization"] == "Q4_1"
    assert facts["Made for"] == "8192 tokens" and facts["Prompt format"] == "Its own"
    assert "Answers wherever no other model is chosen" in told
    assert "The context was shortened from 16,384 to 8,192 tokens" in told
    cells = {key: cell.text() for key, cell in shown.installed.details.memory.cells.items()}
    assert cells == {
        "predicted_bytes": "412.0 MB",
        "measured_bytes": "398.0 MB",
        "predicted_speed": "31.0 tokens/s",
        "measured_speed": "29.4 tokens/s",
    }
    assert "on the processor with 2 threads" in told
    assert not shown.installed.details.remove_button.isEnabled()
    assert "belongs to the program" in shown.installed.details.remove_button.toolTip()


async def test_a_model_on_a_gpu_tells_its_layers(shown: Shown) -> None:
    assert SMOL.loaded is not None
    loaded = replace(
        SMOL.loaded,
        n_gpu_layers=20,
        device="Vulkan0",
        predicted_bytes=0,
        measured_tokens_per_s=None,
        n_threads=1,
        notes=(),
    )
    shown.host.put(replace(SMOL, loaded=loaded))
    told = words(shown.installed.details)
    assert "20 of 30 layers on Vulkan0" in told and "after the first answer" in told
    shown.host.put(replace(SMOL, loaded=replace(loaded, n_gpu_layers=0)))
    assert "with 1 thread" in words(shown.installed.details)


async def test_what_cannot_be_used_says_why_and_what_to_do(shown: Shown) -> None:
    told = choose(shown, BROKEN.name)
    assert "Cannot be used: The file ends in the middle of a weight: it is not whole." in told
    assert "Copy or download it again." in told
    details = shown.installed.details
    assert details.load_button.isHidden() and details.settings_button.isHidden()
    assert not details.remove_button.isHidden()
    choose(shown, MISSING.name)
    assert details.folder_button.isHidden()
    choose(shown, EMBEDDER.name)
    assert details.load_button.isHidden() and details.default_button.isHidden()


async def test_formats_and_images_are_told(shown: Shown) -> None:
    shown.host.put(replace(QWEN, format="ggml", projector="mmproj.gguf", has_template=False, licence=""))
    choose(shown, QWEN.name)
    facts = dict(shown.installed.details.facts.facts)
    assert facts["Format"].startswith("GGML, from before GGUF")
    assert facts["Reads images"] == "Yes, through mmproj.gguf"
    assert facts["Prompt format"].startswith("None of its own")
    assert facts["Licence"] == "Not named in the file"


async def test_loading_shows_its_progress_and_can_be_cancelled(shown: Shown, session: FakeSession) -> None:
    running = asyncio.Event()
    session.script(ChooseModel, [running, QWEN])
    choose(shown, QWEN.name)
    details = shown.installed.details
    details.load_button.click()
    await until(lambda: session.sent(ChooseModel) == [ChooseModel(name=QWEN.name)])
    shown.host.put(replace(QWEN, state="loading"), 0.25, "Fewer layers on the GPU are tried.")
    assert details.state.text == "Loading 25 %"
    assert details.bar.value() == 250 and "Fewer layers" in words(details)
    shown.host.put(replace(QWEN, state="loading"), 0.5)
    assert "Fewer layers" in words(details)
    index = shown.controller.installed.models.index_of(QWEN.name)
    assert "Loading 50 %" in str(index.data(Qt.ItemDataRole.AccessibleTextRole))
    details.cancel_button.click()
    shown.host.put(QWEN)
    await until(lambda: "was cancelled" in shown.toasts())
    assert session.cancelled == [ChooseModel(name=QWEN.name)]
    assert details.bar.isHidden() and not details.load_button.isHidden()


async def test_a_load_that_someone_else_began_is_cancelled_too(shown: Shown, session: FakeSession) -> None:
    choose(shown, LOADING.name)
    shown.installed.details.cancel_button.click()
    await until(lambda: session.sent(UnloadModelNamed) == [UnloadModelNamed(name=LOADING.name)])


async def test_why_loading_failed_is_told(shown: Shown, session: FakeSession) -> None:
    session.script(ChooseModel, [ModelError("model.too_large", "It needs 9.1 GB.", "Choose a smaller one.")])
    choose(shown, QWEN.name)
    shown.installed.details.load_button.click()
    shown.installed.details.load_button.click()
    await until(lambda: not shown.installed.banner.isHidden())
    assert shown.installed.banner.text == "It needs 9.1 GB. Choose a smaller one."
    assert len(session.sent(ChooseModel)) == 1


async def test_unload_and_default(shown: Shown, session: FakeSession) -> None:
    shown.installed.details.unload_button.click()
    await until(lambda: shown.installed.details.unload_button.isHidden())
    choose(shown, QWEN.name)
    shown.installed.details.default_button.click()
    await until(lambda: "Default" in spoken(shown, QWEN.name))
    assert session.sent(UpdateSettings) == [UpdateSettings(values={"default_model": QWEN.name})]
    assert shown.installed.details.default_button.isHidden()
    assert "Default" not in spoken(shown, SMOL.name)


async def test_removing_says_what_was_freed_and_what_stays(shown: Shown, session: FakeSession) -> None:
    choose(shown, QWEN.name)
    QTest.keyClick(shown.installed.list, Qt.Key.Key_Delete)
    await until(lambda: "was deleted; 4.4 GB are free again" in shown.toasts())
    assert session.sent(RemoveModel) == [RemoveModel(name=QWEN.name)]
    await until(lambda: shown.controller.installed.models.by_key(QWEN.name) is None)
    choose(shown, LOADING.name)
    shown.installed.details.remove_button.click()
    await until(lambda: f"Its file stays at {LOADING.path}" in shown.toasts())
    choose(shown, MISSING.name)
    shown.installed.details.remove_button.click()
    await until(lambda: "phi-3-mini-4k left the list." in shown.toasts())
    shown.answers.removes = Removal(delete_file=True)
    choose(shown, BROKEN.name)
    shown.installed.details.remove_button.click()
    await until(lambda: session.sent(RemoveModel)[-1] == RemoveModel(name=BROKEN.name, delete_file=True))


async def test_nothing_is_removed_without_consent(shown: Shown, session: FakeSession) -> None:
    shown.answers.removes = None
    choose(shown, QWEN.name)
    shown.installed.details.remove_button.click()
    await until(lambda: shown.answers.asked == [QWEN.name])
    choose(shown, SMOL.name)
    QTest.keyClick(shown.installed.list, Qt.Key.Key_Delete)
    assert session.sent(RemoveModel) == [] and shown.answers.asked == [QWEN.name]


async def test_a_refused_removal_is_told(shown: Shown, session: FakeSession) -> None:
    session.reply(RemoveModel, AppError("model.not_deleted", "The file is in use.", "Unload it first."))
    choose(shown, QWEN.name)
    shown.installed.details.remove_button.click()
    await until(lambda: shown.installed.banner.text == "The file is in use. Unload it first.")


async def test_a_file_is_imported_by_dialog_and_drop(shown: Shown, session: FakeSession) -> None:
    shown.answers.files = ["/data/a.gguf"]
    shown.installed.import_button.click()
    await until(lambda: "imported can be used now" in shown.toasts())
    await until(lambda: shown.installed.list.current is not None)
    assert session.sent(ImportModel) == [ImportModel(path="/data/a.gguf")]
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/data/b.bin"), QUrl.fromLocalFile("/data/c.pdf")])
    drop(shown, data)
    await until(lambda: session.sent(ImportModel)[-1] == ImportModel(path="/data/b.bin"))
    data.setUrls([QUrl.fromLocalFile("/data/c.pdf")])
    assert not drop(shown, data)
    assert len(session.sent(ImportModel)) == 2
    assert model_paths(["a.GGUF", "b.bin", "c.txt"]) == ["a.GGUF", "b.bin"]


def drop(shown: Shown, data: QMimeData) -> bool:
    actions, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(9, 9), actions, data, button, keys)
    enter.ignore()
    QApplication.sendEvent(shown.installed, enter)
    QApplication.sendEvent(shown.installed, QDropEvent(QPointF(9, 9), actions, data, button, keys))
    return enter.isAccepted()


async def test_a_file_that_is_no_model_is_refused_in_words(shown: Shown, session: FakeSession) -> None:
    session.reply(ImportModel, AppError("model.not_gguf", "This is no model file.", "Choose a GGUF file."))
    shown.controller.import_files(["/data/x.gguf"])
    await until(lambda: shown.installed.banner.text == "This is no model file. Choose a GGUF file.")


async def test_other_programs_models_are_offered_and_used_in_place(
    shown: Shown, session: FakeSession
) -> None:
    await until(lambda: len(shown.installed.folders.lines) == 2)
    studio, ollama = shown.installed.folders.lines
    assert studio.text == "LM Studio: 4 models, 14.2 GB · used in place"
    assert ollama.text == "Ollama: 1 model, 4.1 GB · nothing is copied"
    assert ollama.button.accessibleName() == "Use the models of Ollama"
    ollama.button.click()
    await until(lambda: ollama.button.text() == "Stop using")
    assert shown.installed.folders.lines[1] is ollama
    assert session.sent(UseFolder) == [UseFolder(path="/home/ada/.ollama/models", program="ollama")]
    ollama.button.click()
    await until(lambda: session.sent(UseFolder)[-1].use is False)
    shown.host.folders = FoundFolders(folders=())
    shown.controller.installed.find_folders()
    await until(lambda: shown.installed.folders_card.isHidden())
    assert shown.installed.folders.lines == []


async def test_any_folder_can_be_used(shown: Shown, session: FakeSession) -> None:
    shown.installed.folder_button.click()
    await until(lambda: "models.choose" not in shown.controller.installed._tasks.names)
    assert session.sent(UseFolder) == []
    shown.answers.folder = "/data/models"
    shown.installed.folder_button.click()
    await until(lambda: session.sent(UseFolder) == [UseFolder(path="/data/models")])


async def test_a_model_is_shown_in_its_folder(shown: Shown) -> None:
    shown.installed.details.folder_button.click()
    assert shown.opener.shown == [SMOL.path] and shown.installed.banner.isHidden()
    shown.opener.works = False
    shown.installed.details.folder_button.click()
    assert SMOL.path in shown.installed.banner.text


async def test_enter_loads_what_lies_there(shown: Shown, session: FakeSession) -> None:
    choose(shown, EMBEDDER.name)
    QTest.keyClick(shown.installed.list, Qt.Key.Key_Return)
    choose(shown, QWEN.name)
    QTest.keyClick(shown.installed.list, Qt.Key.Key_Return)
    await until(lambda: session.sent(ChooseModel) == [ChooseModel(name=QWEN.name)])


async def test_the_menu_offers_what_the_buttons_do(shown: Shown, qtbot: QtBot) -> None:
    choose(shown, QWEN.name)
    menu = shown.installed.menu()
    texts = [action.text().replace("&", "") for action in menu.actions()]
    assert texts == ["Load", "Use as default", "Settings…", "Show in folder", "Remove…"]
    menu.actions()[3].trigger()
    assert shown.opener.shown == [QWEN.path]
    menu.deleteLater()
    shown.installed.list.menu_requested.emit(QWEN, QPoint(10, 10))
    popup = QApplication.activePopupWidget()
    assert popup is not None
    popup.close()


async def test_without_models_it_says_what_to_do(make: Make) -> None:
    shown = make()
    shown.host.models = replace(samples.MODELS, models=(), default="")
    shown.controller.open()
    await until(lambda: shown.installed.empty.title == "No model is installed yet")
    assert [button.text() for button in shown.installed.empty.buttons] == [
        "Open the catalogue",
        "Import a file…",
    ]
    shown.installed.focus_first()
    shown.installed.empty.buttons[0].click()
    assert shown.controller.window.current_key == "catalogue"


async def test_a_list_that_cannot_be_had_says_why(make: Make, session: FakeSession) -> None:
    shown = make()
    session.reply(ListModels, AppError("host.lost", "The connection was lost.", "Try again."))
    shown.controller.open()
    await until(lambda: shown.installed.empty.title == "The models cannot be shown")
    assert shown.installed.empty.text == "The connection was lost. Try again."
    session.reply(ListModels, shown.host.models)
    shown.installed.empty.buttons[0].click()
    await until(lambda: shown.installed.list.current is not None)
    session.reply(ListModels, AppError("host.lost", "Lost again."))
    shown.controller.installed.load()
    await until(lambda: shown.installed.banner.text == "Lost again.")


async def test_a_model_that_came_meanwhile_is_listed(shown: Shown, session: FakeSession) -> None:
    shown.host.put(replace(QWEN, name="new model"))
    await until(lambda: shown.controller.installed.models.by_key("new model") is not None)
