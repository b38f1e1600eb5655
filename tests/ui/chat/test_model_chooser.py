"""Which model answers: the list beside the composer, and the loading that a choice starts."""

import asyncio
from dataclasses import replace

import pytest
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from app.core.errors import ModelError
from app.protocol.chat import AnswerDone, AnswerPhase, AnswerStarted, AnswerToken, Ask, UpdateConversation
from app.protocol.envelope import Message
from app.protocol.library import CollectionList, ListCollections
from app.protocol.models import (
    ChooseModel,
    Fit,
    ListModels,
    ModelChanged,
    ModelEntry,
    ModelList,
    ModelsChanged,
)
from app.protocol.system import Notice
from app.ui.chat.controller import ChatController
from app.ui.chat.model_chooser import ModelChooser
from app.ui.chat.model_loader import ModelLoader
from app.ui.chat.model_words import fit_colour, model_line
from app.ui.notifier import Notifier
from app.ui.session import Cancelled
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.chat.test_controller import DONE, ENTRY, STARTED
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

GOOD = Fit(verdict="good", words="runs well: about 70 words a second")
LARGE = Fit(verdict="too_large", words="will not fit: needs 44 GB, 9.3 GB free")


def entry(name: str, state: str = "available", **facts: object) -> ModelEntry:
    return replace(ModelEntry(name=name, path=f"/m/{name}", size_bytes=105_000_000, state=state), **facts)  # type: ignore[arg-type]


OWN = entry("smol", quantization="Q4_1", fit=GOOD)
OTHER = entry("mistral", source="ollama", fit=LARGE)
BROKEN = entry("old", "broken", problem="The file ends early.", hint="Fetch it anew.")
GONE = entry("gone", "missing", problem="The disk is not there.")
MODELS = ModelList(models=(GONE, OTHER, BROKEN, OWN, entry("embedder", kind="embedding")), default="smol")


@pytest.fixture
def chooser(theme: Theme, qtbot: QtBot) -> ModelChooser:
    chooser = ModelChooser(theme)
    qtbot.addWidget(chooser)
    chooser.set_models(MODELS)
    return chooser


def actions(chooser: ModelChooser) -> dict[str, QAction]:
    return {str(action.data()): action for action in chooser.menu().actions() if action.data()}


def texts(chooser: ModelChooser) -> list[str]:
    return [action.text() for action in chooser.menu().actions() if action.isVisible() and action.text()]


def test_size_quantization_and_advice_stand_in_the_line(chooser: ModelChooser) -> None:
    assert actions(chooser)["smol"].text() == (
        "smol  ·  105.0 MB  ·  Q4_1  ·  runs well: about 70 words a second"
    )
    assert "needs 44 GB" in actions(chooser)["mistral"].text()
    assert fit_colour(GOOD) == "ok"
    assert fit_colour(LARGE) == "error"
    assert fit_colour(None) == "text_faint"
    assert fit_colour(Fit(verdict="newer", words="")) == "text_faint"


def test_what_cannot_be_used_says_why_and_cannot_be_chosen(chooser: ModelChooser) -> None:
    lines = actions(chooser)
    assert not lines["old"].isEnabled()
    assert lines["old"].text().endswith("cannot be used: The file ends early")
    assert "Fetch it anew." in lines["old"].toolTip()
    assert not lines["gone"].isEnabled()
    assert lines["gone"].text().endswith("file is missing: The disk is not there")
    assert model_line(replace(BROKEN, problem="")).endswith("cannot be used")
    chooser.set_current("gone")
    assert "file is missing" in chooser.accessibleName()


def test_other_programs_models_stand_apart_and_other_kinds_not_at_all(chooser: ModelChooser) -> None:
    lines = texts(chooser)
    assert lines.index("Installed") < lines.index("From other programs")
    assert lines[lines.index("From other programs") + 1].startswith("mistral")
    assert "embedder" not in "".join(lines)
    chooser.apply_change(ModelChanged(model=entry("embedder", "loaded", kind="embedding")))
    assert "embedder" not in actions(chooser)
    chooser.set_models(ModelList(models=(OWN,), default="smol"))
    assert "Installed" not in texts(chooser)
    assert chooser.has_models
    chooser.set_models(ModelList(models=(BROKEN,), default=""))
    assert not chooser.has_models


def test_loading_shows_its_progress_and_can_be_cancelled(chooser: ModelChooser, qtbot: QtBot) -> None:
    assert "Cancel loading" not in texts(chooser)
    chooser.set_loading("smol")
    chooser.apply_change(ModelChanged(model=entry("smol", "loading"), progress=0.4))
    assert "smol · 40 %" in chooser.text()
    assert actions(chooser)["smol"].text().endswith("loading 40 %")
    cancel = next(a for a in chooser.menu().actions() if a.text() == "Cancel loading")
    with qtbot.waitSignal(chooser.cancel_requested):
        cancel.trigger()
    chooser.set_loading("")
    chooser.apply_change(ModelChanged(model=entry("smol", "available")))
    assert not cancel.isVisible()
    assert actions(chooser)["smol"].text().endswith(GOOD.words)  # the advice is not lost


def test_opening_the_list_asks_for_fresh_advice(chooser: ModelChooser, qtbot: QtBot) -> None:
    with qtbot.waitSignal(chooser.fit_wanted):
        chooser.menu().aboutToShow.emit()
    before = actions(chooser)["smol"]
    changed = replace(MODELS, models=tuple(replace(m, fit=LARGE) for m in MODELS.models))
    chooser.set_models(changed)
    assert actions(chooser)["smol"] is before  # the open menu is not built anew
    assert "needs 44 GB" in before.text()
    manage = next(a for a in chooser.menu().actions() if a.text() == "Manage models…")
    with qtbot.waitSignal(chooser.manage_requested):
        manage.trigger()


@pytest.fixture
def loader(session: FakeSession, tasks: TaskSpawner, notifier: Notifier) -> ModelLoader:
    return ModelLoader(session, tasks, notifier)


async def test_a_newer_wish_ends_the_older_loading(loader: ModelLoader, session: FakeSession) -> None:
    ended: list[str] = []
    gate = asyncio.Event()

    async def load(request: ChooseModel) -> ModelEntry:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ended.append(request.name)
            raise
        return entry(request.name, "loaded")

    session.reply(ChooseModel, load)
    told: list[str] = []
    loader.changed.connect(told.append)
    loader.load("a")
    await until(lambda: session.sent(ChooseModel))
    loader.load("a")
    loader.load("b")
    await until(lambda: len(session.sent(ChooseModel)) == 2)
    assert ended == ["a"]
    assert loader.is_loading
    loader.cancel()
    await until(lambda: ended == ["a", "b"])
    assert not loader.is_loading
    loader.cancel()
    gate.set()
    loader.load("c")
    await until(lambda: not loader.is_loading)
    assert told == ["a", "b", "", "c", ""]


async def test_a_failed_loading_is_told_and_a_cancelled_one_is_not(
    loader: ModelLoader, session: FakeSession, notifier: Notifier
) -> None:
    notices: list[Notice] = []
    notifier.subscribe(notices.append)
    session.reply(ChooseModel, ModelError("model.no_memory", "It does not fit.", "Choose a smaller one."))
    loader.load("big")
    await until(lambda: not loader.is_loading)
    assert [notice.code for notice in notices] == ["model.no_memory"]

    async def cancelled(_request: ChooseModel) -> ModelEntry:
        raise Cancelled(Message("cancelled", {}))

    session.reply(ChooseModel, cancelled)
    loader.load("big")
    await until(lambda: not loader.is_loading)
    assert len(notices) == 1


@pytest.fixture
def chats(session: FakeSession, tasks: TaskSpawner, notifier: Notifier) -> ChatController:
    session.reply(ListModels, MODELS)
    session.reply(ListCollections, CollectionList(collections=()))
    session.reply(ChooseModel, lambda request: entry(request.name, "loaded"))
    session.reply(UpdateConversation, ENTRY)
    return ChatController(session, tasks, notifier)


async def test_a_model_chosen_while_an_answer_runs_is_loaded_after_it(
    chats: ChatController, session: FakeSession
) -> None:
    gate = asyncio.Event()
    session.script(Ask, [STARTED, AnswerToken(text="Two"), gate, DONE])
    chats.ask("How long?")
    await until(lambda: chats.current.model.row(1).message.text == "Two")
    chats.choose_model("other")
    await asyncio.sleep(0.02)
    sent = session.sent(ChooseModel)
    assert not sent
    gate.set()
    await until(lambda: session.sent(ChooseModel))
    assert session.sent(ChooseModel) == [ChooseModel(name="other")]
    assert chats.current.live is None


async def test_advice_and_new_lists_are_asked_for(chats: ChatController, session: FakeSession) -> None:
    lists: list[ModelList] = []
    chats.models_changed.connect(lists.append)
    chats.list_fit()
    chats.list_fit()
    await until(lambda: lists)
    assert session.sent(ListModels) == [ListModels(with_fit=True)]
    session.deliver(ModelsChanged())
    await until(lambda: len(lists) == 2)
    session.reply(ListModels, ModelError("model.unknown", "No."))
    chats.list_fit()
    await until(lambda: len(session.sent(ListModels)) == 3)
    await asyncio.sleep(0)
    chats.list_fit()
    await until(lambda: len(session.sent(ListModels)) == 4)
    assert len(lists) == 2


async def test_loading_for_an_answer_can_be_cancelled(chats: ChatController, session: FakeSession) -> None:
    told: list[bool] = []
    chats.cancellable_changed.connect(told.append)
    session.script(Ask, [STARTED, AnswerPhase(phase="loading", progress=0.2), asyncio.Event(), DONE])
    chats.cancel_loading()  # nothing is loaded
    chats.ask("How long?")
    await until(lambda: told and told[-1])
    chats.cancel_loading()
    await until(lambda: chats.current.live is None)
    assert told[-1] is False
    assert session.cancelled == session.sent(Ask)
    chats.choose_model("smol")
    assert told[-1]
    chats.cancel_loading()
    assert told[-1] is False


async def test_the_speed_is_told_while_and_after_the_answer(
    chats: ChatController, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds: list[tuple[float, bool]] = []
    chats.speed_measured.connect(lambda speed, running: speeds.append((speed, running)))
    times = iter([100.0 + 0.25 * step for step in range(1000)])
    monkeypatch.setattr("app.ui.chat.live_answer.time.perf_counter", lambda: next(times))
    done = answer(1, "x" * 30)
    done = replace(done, stats=replace(done.stats, tokens_per_s=8.5))
    started = AnswerStarted(conversation=ENTRY, question=question(1), answer=answer(1, "", state="streaming"))
    end = AnswerDone(conversation_id="c1", answer=done, found=True)
    session.script(Ask, [started, *[AnswerToken(text="x")] * 30, end])
    chats.ask("How long?")
    await until(lambda: speeds and not speeds[-1][1])
    assert speeds[-1] == (8.5, False)
    assert len(speeds) > 2
    assert all(2 < speed <= 4 for speed, running in speeds if running)
