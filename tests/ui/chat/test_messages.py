"""The message model, the two message widgets and the list that shows a thousand of them."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton, QToolTip, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.protocol.chat import AnswerPhase, AnswerStats, ChatMessage
from app.ui.chat.answer_parts import StatsLabel
from app.ui.chat.message_list import MessageList
from app.ui.chat.message_model import MessageModel, MessageRole
from app.ui.chat.message_widgets import AnswerWidget, UserMessageWidget
from app.ui.chat.sources import SourceButton
from app.ui.elements.elided_label import ElidedLabel
from app.ui.theme import Theme
from tests.ui.chat.test_annotations import CITATION


def question(number: int, text: str = "How long does it last?") -> ChatMessage:
    return ChatMessage(id=f"q{number}", parent_id=None, role="user", text=text, created_at=0)


def answer(number: int, text: str = "Two years.", **changes: object) -> ChatMessage:
    message = ChatMessage(
        id=f"a{number}",
        parent_id=f"q{number}",
        role="assistant",
        text=text,
        created_at=0,
        kind="documents",
        model="smol",
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def exchange(n: int) -> list[ChatMessage]:
    return [m for k in range(n) for m in (question(k), answer(k, f"Answer {k}. " * (1 + k % 20)))]


def visible_words(widget: QWidget) -> str:
    labels = [
        label.full_text if isinstance(label, ElidedLabel) else label.text()
        for label in widget.findChildren(QLabel)
        if label.isVisibleTo(widget)
    ]
    buttons = [button.text() for button in widget.findChildren(QPushButton) if button.isVisibleTo(widget)]
    return "\n".join([*labels, *buttons])


def test_the_model_obeys_qt(qtmodeltester: Any) -> None:
    model = MessageModel()
    qtmodeltester.check(model)
    model.reset(exchange(3))
    model.append(question(9))
    model.append(answer(9, state="streaming"))
    model.set_phase("a9", AnswerPhase(phase="reading"))
    model.set_text("a9", "Half")
    assert model.data(model.index(7)) == "Half"
    assert model.data(model.index(7), MessageRole.ROW).phase is not None
    model.replace(answer(9, "Whole."))
    assert model.row(7).phase is None
    assert model.row(7).question == "How long does it last?"
    model.replace(replace(answer(9), id="stored"), "a9")
    assert model.find("stored") == 7
    model.remove("stored")
    model.remove("never there")
    model.set_text("never there", "x")
    assert model.rowCount() == 7
    assert model.data(model.index(99)) is None
    assert model.data(model.index(0), Qt.ItemDataRole.DecorationRole) is None


@pytest.fixture
def answers(theme: Theme, qtbot: QtBot) -> AnswerWidget:
    widget = AnswerWidget(theme)
    qtbot.addWidget(widget)
    widget.resize(700, 400)
    return widget


def show(widget: AnswerWidget, message: ChatMessage, phase: AnswerPhase | None = None) -> str:
    model = MessageModel()
    model.reset([question(0), message])
    if phase is not None:
        model.set_phase(message.id, phase)
    widget.show_row(model.row(1))
    widget.resize(700, widget.height_for(700))
    return visible_words(widget)


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (AnswerPhase(phase="starting"), "Starting…"),
        (AnswerPhase(phase="waiting"), "Waiting for the answer before this one…"),
        (AnswerPhase(phase="searching"), "Searching your documents…"),
        (AnswerPhase(phase="loading", progress=0.4), "Loading the model… 40 %"),
        (AnswerPhase(phase="reading", detail="1,200 of 2,000 tokens", progress=0.6), "1,200 of 2,000 tokens"),
        (AnswerPhase(phase="writing"), "Writing…"),
        (AnswerPhase(phase="stopping"), "Stopping…"),
        (AnswerPhase(phase="newer"), "newer"),
    ],
)
def test_the_phase_is_told_in_words(answers: AnswerWidget, phase: AnswerPhase, words: str) -> None:
    assert words in show(answers, answer(0, "", state="streaming"), phase)
    assert words not in show(answers, answer(0))


def test_an_answer_that_is_not_in_the_documents_offers_general_knowledge(
    answers: AnswerWidget, qtbot: QtBot
) -> None:
    assert "Not in your documents" in show(answers, answer(0, "They do not say.", kind="not_found"))
    button = next(b for b in answers.findChildren(QPushButton) if "general knowledge" in b.text())
    with qtbot.waitSignal(answers.general_requested) as blocker:
        button.click()
    assert blocker.args == ["a0"]
    assert "Not in your documents" not in show(answers, answer(0))


def test_general_knowledge_is_marked_as_such(answers: AnswerWidget) -> None:
    assert "General knowledge — not from your documents" in show(answers, answer(0, kind="general"))
    assert "General knowledge" not in show(answers, answer(0))
    assert "Underlined" in show(answers, answer(0, unsupported=((0, 3),)))
    assert "Underlined" not in show(answers, answer(0, kind="general", unsupported=((0, 3),)))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (answer(0, state="stopped"), "Stopped. What was written so far is kept."),
        (answer(0, state="interrupted"), "The answer was interrupted."),
        (answer(0, "", state="failed"), "No answer could be made."),
        (
            answer(
                0, "", state="failed", error_message="The model is damaged.", error_hint="Choose another."
            ),
            "The model is damaged.\nChoose another.",
        ),
    ],
)
def test_an_answer_without_end_says_why_and_can_be_retried(
    answers: AnswerWidget, qtbot: QtBot, message: ChatMessage, words: str
) -> None:
    assert words in show(answers, message)
    button = next(b for b in answers.findChildren(QPushButton) if b.text() == "Try again")
    with qtbot.waitSignal(answers.retry_requested) as blocker:
        button.click()
    assert blocker.args == ["a0"]


def test_sources_stand_under_the_answer_and_open(answers: AnswerWidget, qtbot: QtBot) -> None:
    citations = tuple(
        replace(CITATION, n=k, name=f"file{k}.pdf", char_start=k, verified=k != 2) for k in range(1, 6)
    )
    doubled = (*citations, replace(citations[0], answer_start=50))
    answers.show()
    words = show(answers, answer(0, citations=doubled, unsupported=((0, 3),)))
    assert "Sources" in words
    assert "your documents do not support this" in words
    assert "Show 2 more" in words
    buttons = answers.findChildren(SourceButton)
    assert [b.place for b in buttons] == [f"file{k}.pdf · page 2" for k in (1, 2, 3)]
    assert buttons[0].accessibleName() == "Source 1: file1.pdf · page 2"
    with qtbot.waitSignal(answers.citation_activated) as blocker:
        buttons[1].click()
    assert blocker.args == ["a0", 1]
    with qtbot.waitSignal(answers.resized):
        next(b for b in answers.findChildren(QPushButton) if b.text() == "Show 2 more").click()
    kept = [b for b in answers.findChildren(SourceButton) if not b.isHidden()]
    assert len(kept) == 5
    kept[0].setFocus()
    answers.grab()
    with qtbot.waitSignal(answers.citation_activated) as blocker:
        QTest.keyClick(kept[4], Qt.Key.Key_Space)
    assert blocker.args == ["a0", 4]


def test_the_footer_copies_the_answer_and_shows_its_figures(
    answers: AnswerWidget, qapp: QApplication
) -> None:
    stats = AnswerStats(completion_tokens=1200, tokens_per_s=31.25, first_token_s=0.5)
    words = show(answers, answer(0, "Two **years**.", stats=stats))
    assert "smol · 1200 tokens · 31.3 tokens/s · first word after 0.5 s" in words
    copy = next(b for b in answers.findChildren(QToolButton) if b.accessibleName() == "Copy the answer")
    copy.click()
    assert QGuiApplication.clipboard().text() == "Two **years**."


def test_a_forgotten_beginning_is_noted(answers: AnswerWidget) -> None:
    words = "The model forgot the oldest part of this conversation to go on writing."
    assert words not in show(answers, answer(0))
    shifted = answer(0, stats=AnswerStats(completion_tokens=9, n_shifted=512))
    assert words in show(answers, shifted)
    assert words not in show(answers, replace(shifted, state="streaming"))
    assert words not in show(answers, answer(0))


def test_the_finer_figures_stand_in_the_tool_tip(answers: AnswerWidget, qtbot: QtBot) -> None:
    stats = AnswerStats(
        prompt_tokens=1900,
        cached_tokens=1200,
        completion_tokens=24,
        tokens_per_s=8.2,
        n_shifted=512,
        n_drafted=40,
        n_accepted=31,
        from_snapshot=True,
        seed=42,
    )
    show(answers, answer(0, stats=stats))
    answers.show()
    label = answers.findChild(StatsLabel)
    assert label is not None
    details = label.accessibleDescription()
    for words in ("seed 42", "31 of 40 tokens guessed", "512 oldest", "from the disk", "tokens read"):
        assert words in details
    point = label.rect().center()
    QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, point, label.mapToGlobal(point)))
    assert QToolTip.text() == details
    label.setFixedWidth(30)
    qtbot.wait(0)
    QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, point, label.mapToGlobal(point)))
    assert QToolTip.text().endswith(details)
    assert QToolTip.text() != details
    QToolTip.hideText()
    show(answers, answer(0, stats=AnswerStats(completion_tokens=24)))
    assert label.accessibleDescription() == ""


def test_everything_keeps_its_name_for_a_screen_reader(answers: AnswerWidget) -> None:
    show(answers, answer(0, "```\nx\n```", citations=(CITATION,)))
    for button in [*answers.findChildren(QToolButton), *answers.findChildren(SourceButton)]:
        assert button.accessibleName()


def test_the_theme_reaches_everything(answers: AnswerWidget, theme: Theme) -> None:
    show(answers, answer(0, state="stopped", citations=(CITATION,)))
    theme.set_setting("dark")
    answers.grab()


def test_a_question_stands_in_a_bubble_at_the_right(theme: Theme, qtbot: QtBot) -> None:
    widget = UserMessageWidget(theme)
    qtbot.addWidget(widget)
    model = MessageModel()
    model.reset([question(0, "Short?"), question(1, "long " * 80)])
    widget.show_row(model.row(0))
    short = widget.height_for(600)
    assert widget.text.geometry().left() > 400
    widget.show_row(model.row(1))
    assert widget.height_for(600) > short
    widget.resize(600, 200)
    widget.grab()
    theme.set_setting("dark")
    assert not widget.is_in_use()
    widget.text.selectAll()
    assert widget.is_in_use()


@pytest.fixture
def messages(theme: Theme, qtbot: QtBot) -> MessageList:
    view = MessageList(theme)
    qtbot.addWidget(view)
    view.resize(700, 500)
    view.show()
    return view


def fill(view: MessageList, contents: list[ChatMessage], qtbot: QtBot) -> MessageModel:
    model = MessageModel(view)
    view.set_model(model)
    model.reset(contents)
    qtbot.waitUntil(lambda: view.widget_at(len(contents) - 1) is not None)
    return model


def test_a_thousand_messages_exist_only_where_they_are_visible(messages: MessageList, qtbot: QtBot) -> None:
    fill(messages, exchange(500), qtbot)
    assert messages.is_at_end()
    assert messages.n_widgets < 40
    bar = messages.verticalScrollBar()
    for share in (0.5, 0.1, 0.9, 0.0):
        bar.setValue(int(bar.maximum() * share))
        assert messages.n_widgets < 40
    assert messages.widget_at(0) is not None
    assert messages.widget_at(999) is None
    widget = messages.widget_at(0)
    assert widget is not None
    assert widget.text.toPlainText() == "How long does it last?"


def test_messages_never_overlap(messages: MessageList, qtbot: QtBot) -> None:
    fill(messages, exchange(60), qtbot)
    bar = messages.verticalScrollBar()
    for share in (0.3, 0.7, 1.0):
        bar.setValue(int(bar.maximum() * share))
        boxes = sorted(
            (
                w.geometry()
                for row in range(120)
                if (w := messages.widget_at(row)) is not None and w.y() > -5000
            ),
            key=lambda box: box.top(),
        )
        for above, below in pairwise(boxes):
            assert above.bottom() < below.top()


def test_it_sticks_to_the_end_while_text_comes(messages: MessageList, qtbot: QtBot) -> None:
    model = fill(messages, [*exchange(20), question(90), answer(90, "", state="streaming")], qtbot)
    bar = messages.verticalScrollBar()
    before = bar.maximum()
    model.set_text("a90", "line\n\n" * 60)
    qtbot.waitUntil(lambda: bar.maximum() > before)
    assert messages.is_at_end()


def test_it_stays_where_the_user_reads(messages: MessageList, qtbot: QtBot) -> None:
    model = fill(messages, [*exchange(40), question(90), answer(90, "", state="streaming")], qtbot)
    bar = messages.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    row = next(r for r in range(80) if (w := messages.widget_at(r)) is not None and w.y() >= 0)
    widget = messages.widget_at(row)
    assert widget is not None
    place = widget.y()
    model.set_text("a90", "line\n\n" * 60)
    model.append(question(91))
    messages.lay_out()
    assert abs(widget.y() - place) <= 1
    jump = next(b for b in messages.findChildren(QToolButton) if "newest" in b.accessibleName())
    assert jump.isVisible()
    jump.click()
    assert messages.is_at_end()
    assert jump.isHidden()


def test_wheel_and_keys_scroll(messages: MessageList, qtbot: QtBot) -> None:
    fill(messages, exchange(40), qtbot)
    bar = messages.verticalScrollBar()
    for angle, pixels in ((QPoint(0, 120), QPoint()), (QPoint(), QPoint(0, 30))):
        wheel = QWheelEvent(
            QPointF(10, 10),
            QPointF(10, 10),
            pixels,
            angle,
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        before = bar.value()
        QApplication.sendEvent(messages.viewport(), wheel)
        assert bar.value() < before
    QTest.keyClick(messages, Qt.Key.Key_Home)
    assert bar.value() == 0
    QTest.keyClick(messages, Qt.Key.Key_Down)
    assert 0 < bar.value() < 100
    QTest.keyClick(messages, Qt.Key.Key_PageDown)
    assert bar.value() > 300
    QTest.keyClick(messages, Qt.Key.Key_End)
    assert messages.is_at_end()
    QTest.keyClick(messages, Qt.Key.Key_A)


def test_a_new_width_measures_again(messages: MessageList, qtbot: QtBot) -> None:
    fill(messages, [question(0), answer(0, "word " * 200)], qtbot)
    widget = messages.widget_at(1)
    assert widget is not None
    before = widget.height()
    messages.resize(400, 500)
    assert widget.height() > before


def test_a_message_with_the_focus_is_not_taken_away(messages: MessageList, qtbot: QtBot) -> None:
    fill(messages, exchange(200), qtbot)
    widget = messages.widget_at(399)
    assert widget is not None
    widget.text.selectAll()
    messages.verticalScrollBar().setValue(0)
    assert messages.widget_at(399) is widget


def test_removed_messages_go(messages: MessageList, qtbot: QtBot) -> None:
    model = fill(messages, exchange(3), qtbot)
    kept = messages.widget_at(5)
    model.remove("q1")
    qtbot.waitUntil(lambda: messages.widget_at(4) is kept)
    assert messages.widget_at(5) is None


def test_wishes_come_through(messages: MessageList, qtbot: QtBot) -> None:
    fill(messages, [question(0), answer(0, "Stopped", state="stopped", citations=(CITATION,) * 5)], qtbot)
    widget = messages.widget_at(1)
    assert widget is not None
    with qtbot.waitSignal(messages.retry_requested):
        widget.retry_requested.emit("a0")
    with qtbot.waitSignal(messages.link_activated):
        widget.link_activated.emit("https://example.org")
    widget.resized.emit()


def test_tab_goes_through_messages_from_top_to_bottom(messages: MessageList, qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    before, after = QPushButton("before"), QPushButton("after")
    layout = QVBoxLayout(window)
    for widget in (before, messages, after):
        layout.addWidget(widget)
    window.resize(700, 400)
    window.show()
    window.activateWindow()
    fill(messages, exchange(12), qtbot)
    messages.verticalScrollBar().setValue(0)
    messages.setFocus()

    def press(key: Qt.Key) -> QWidget:
        widget = QApplication.focusWidget()
        assert widget is not None
        QTest.keyClick(widget, key)
        widget = QApplication.focusWidget()
        assert widget is not None
        return widget

    seen: list[int] = []
    while (focused := press(Qt.Key.Key_Tab)) is not after:
        row = messages._row_of(focused)
        assert row is not None
        top = focused.mapTo(messages.viewport(), QPoint(0, 0)).y()
        assert -1 <= top <= messages.viewport().height()
        seen.append(row)
    assert seen == sorted(seen)
    assert set(seen) == set(range(24))
    while (focused := press(Qt.Key.Key_Backtab)) is not messages:
        assert messages._row_of(focused) is not None or focused is messages._jump_button
    messages.model.reset([])
    QTest.keyClick(messages, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is after
    messages.setParent(None)
