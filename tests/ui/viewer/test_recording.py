"""A transcript in the viewer: its times, its player, and the line that is heard."""

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.core.errors import FileError, NotFoundError, WorkerError
from app.protocol.documents import GetTextTimes
from app.protocol.voice import ControlReading, PlaybackPosition, PlayDocument, StopReading
from app.ui.elements.clock import clock
from app.ui.viewer.pane import ViewerPane
from app.ui.viewer.text_times import TextTimes
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.viewer.conftest import Open
from tests.ui.viewer.served import Served, plain, recording
from tests.ui.voice.hosted import VoiceHost

RECORDING = recording()
MISSING = FileError("document.source_missing", "The file is not there any more.", "Put it back.")
CHANGED = FileError("document.source_changed", "The file changed.", "Read it again.")


@pytest.fixture
def host(session: FakeSession) -> VoiceHost:
    return VoiceHost(session)


async def opened(viewer: Open, document: Served = RECORDING) -> ViewerPane:
    pane = viewer(document)
    pane.open_document(document.document_id)
    await until(lambda: pane.text.is_loaded and pane.recording.gutter.isVisible())
    return pane


async def playing(pane: ViewerPane, host: VoiceHost, seconds: float) -> None:
    """Let the host play, and tell how far it is."""
    n = len(host.told)
    if not pane.recording.playback.state.is_running:
        pane.recording.bar.play_button.click()
        await until(lambda: len(host.told) == n + 1)
    host.tell(PlaybackPosition(seconds=seconds, total_s=RECORDING.sound_seconds))
    await until(lambda: pane.recording.playback.state.seconds == seconds)


def heard(pane: ViewerPane) -> str:
    selections = pane.text.extraSelections()
    return "|".join(s.cursor.selectedText() for s in selections)


def point_of(pane: ViewerPane, words: str) -> QPoint:
    cursor = pane.text.document().find(words)
    cursor.setPosition(cursor.selectionStart() + 1)
    return pane.text.cursorRect(cursor).center()


async def test_a_transcript_shows_its_times_and_its_player(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    bar = pane.recording.bar
    assert bar.isVisible() and bar.time.text() == "0:00 / 20:00"
    assert bar.position.accessibleDescription() == "0:00 of 20:00"
    await until(lambda: pane.recording.gutter.times[:3] == ["0:00", "0:30", "1:00"])
    assert host.session.sent(PlayDocument) == []  # nothing is heard before the user wants it


async def test_other_documents_have_no_player(viewer: Open, host: VoiceHost) -> None:
    pane = viewer(RECORDING, plain(2, "Words."))
    pane.open_document(RECORDING.document_id)
    await until(lambda: pane.recording.gutter.isVisible())
    pane.open_document(2)
    await until(lambda: pane.reader.info is not None)
    assert not pane.recording.bar.isVisible() and not pane.recording.gutter.isVisible()
    pane.toggle_sound()
    QTest.mouseClick(pane.text.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 10))
    assert host.session.sent(PlayDocument) == [] and len(host.session.sent(GetTextTimes)) == 1


async def test_the_line_that_is_heard_is_marked_and_followed(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    await playing(pane, host, 6.0)
    assert pane.recording.bar.play_button.accessibleName() == "Pause"
    assert heard(pane) == "Good morning and welcome to the meeting."
    assert pane.recording.gutter._heard_s == 0.0
    await playing(pane, host, 611.0)
    assert heard(pane) == "The lease ends in May."
    await until(lambda: pane.text.verticalScrollBar().value() > 0)
    await until(lambda: not pane.text._glide.is_running)
    assert pane.text._shows(pane.text._heard or (0, 0))
    assert pane.recording.bar.time.text() == "10:11 / 20:00"
    host.end()
    await until(lambda: pane.recording.playback.state.phase == "stopped")
    assert heard(pane) == "" and pane.recording.bar.position.value() == pane.recording.bar.position.maximum()
    pane.recording.bar.play_button.click()  # at the end: anew
    await until(lambda: len(host.told) == 2)
    assert host.session.sent(PlayDocument)[1].start_s == 0.0


async def test_who_scrolls_away_is_left_alone(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    await playing(pane, host, 6.0)
    bar = pane.text.verticalScrollBar()
    bar.setValue(bar.maximum())
    scrolled = bar.value()
    await playing(pane, host, 11.0)
    assert bar.value() == scrolled > 10
    bar.setValue(0)  # back at what is heard
    await playing(pane, host, 900.0)
    await until(lambda: bar.value() > 10)


async def test_chosen_words_stay_chosen_while_the_text_is_followed(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    pane.text.setTextCursor(pane.text.document().find("The lease"))
    await playing(pane, host, 900.0)
    assert pane.text.textCursor().selectedText() == "The lease"
    assert pane.text.verticalScrollBar().value() > 10


async def test_a_click_on_a_word_or_a_time_plays_from_there(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    viewport = pane.text.viewport()
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=point_of(pane, "lease ends"))
    await until(lambda: len(host.told) == 1)
    assert host.session.sent(PlayDocument)[0] == PlayDocument(document_id=5, start_s=10.0)
    gutter = pane.recording.gutter
    top, height, seconds = gutter._marks[2]
    place = QPoint(5, top + height // 2)
    QTest.mouseMove(gutter, place)
    await until(lambda: gutter.toolTip() == "Play from 1:00")
    QTest.mouseClick(gutter, Qt.MouseButton.LeftButton, pos=place)
    await until(lambda: len(host.told) == 2)
    assert host.session.sent(PlayDocument)[1].start_s == seconds == 60.0
    QTest.mouseClick(gutter, Qt.MouseButton.LeftButton, pos=QPoint(5, top + height + 30))
    assert len(host.told) == 2


async def test_choosing_words_does_not_play(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    viewport = pane.text.viewport()
    start, end = point_of(pane, "Good morning"), point_of(pane, "meeting.")
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(viewport, end)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=end)
    QTest.mouseClick(viewport, Qt.MouseButton.RightButton, pos=start)
    assert host.session.sent(PlayDocument) == []


async def test_keys_and_menu_play_too(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    cursor = pane.text.document().find("Both sides")
    cursor.setPosition(cursor.selectionStart())
    pane.text.setTextCursor(cursor)
    QTest.keyClick(pane.text, Qt.Key.Key_Return)
    await until(lambda: len(host.told) == 1)
    assert host.session.sent(PlayDocument)[0].start_s == 15.0
    menu = pane.text.context_menu(point_of(pane, "nine hundred"))
    action = next(action for action in menu.actions() if action.text() == "Play from here")
    action.trigger()
    menu.deleteLater()
    await until(lambda: len(host.told) == 2)
    assert host.session.sent(PlayDocument)[1].start_s == 25.0
    host.tell(PlaybackPosition(seconds=25.2))
    await until(lambda: pane.recording.playback.state.phase == "playing")
    pane.toggle_sound()
    assert pane.recording.playback.state.phase == "paused"


async def test_pausing_going_on_and_volume(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    bar = pane.recording.bar
    bar.volume_button.slider.setValue(80)  # nothing is heard yet
    await playing(pane, host, 12.0)
    bar.play_button.click()
    assert bar.play_button.accessibleName() == "Go on playing"
    host.tell(PlaybackPosition(seconds=12.1))  # was under way
    await until(lambda: pane.recording.playback.state.seconds == 12.1)
    assert pane.recording.playback.state.phase == "paused"
    bar.play_button.click()
    bar.volume_button.slider.setValue(30)
    await until(lambda: len(host.session.sent(ControlReading)) == 3)
    asked = host.session.sent(ControlReading)
    assert {each.reading for each in asked} == {"document.5"}
    assert [(each.paused, each.volume) for each in asked] == [(True, None), (False, None), (None, 0.3)]


async def test_pausing_before_anything_is_heard_stops(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    pane.recording.playback.play(60.0)
    await until(lambda: host.told)
    pane.toggle_sound()
    assert pane.recording.playback.state.phase == "stopped"
    await until(lambda: host.session.sent(StopReading))
    assert host.session.sent(ControlReading) == []
    pane.toggle_sound()
    await until(lambda: len(host.told) == 2)
    assert host.session.sent(PlayDocument)[1].start_s == 60.0


async def test_the_slider_goes_to_a_time(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    position = pane.recording.bar.position
    position.setFocus()
    QTest.keyClick(position, Qt.Key.Key_Right)
    assert pane.recording.bar.time.text() == "0:05 / 20:00"
    assert host.session.sent(PlayDocument) == []  # silent stays silent
    pane.recording.bar.play_button.click()
    await until(lambda: len(host.told) == 1)
    assert host.session.sent(PlayDocument)[0].start_s == 5.0
    middle = QPoint(position.width() // 2, position.height() // 2)
    QTest.mouseClick(position, Qt.MouseButton.LeftButton, pos=middle)
    await until(lambda: len(host.told) == 2)
    assert 500 < host.session.sent(PlayDocument)[1].start_s < 700
    host.tell(PlaybackPosition(seconds=600.0))
    await until(lambda: pane.recording.playback.state.phase == "playing")
    pane.recording.bar.play_button.click()  # paused: a new place, in silence
    pane.recording.playback.seek(100.0)
    assert pane.recording.playback.state.phase == "stopped"
    await until(lambda: host.session.sent(StopReading))
    assert pane.recording.bar.time.text() == "1:40 / 20:00"


async def test_dragging_shows_the_time_and_is_left_alone(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    await playing(pane, host, 12.0)
    bar = pane.recording.bar
    bar.position.setSliderDown(True)
    bar.position.sliderMoved.emit(3000)
    host.tell(PlaybackPosition(seconds=13.0))
    await until(lambda: pane.recording.playback.state.seconds == 13.0)
    assert bar.time.text() == "5:00 / 20:00"
    bar.position.setSliderDown(False)


async def test_a_citation_offers_its_time_and_waits_for_the_user(viewer: Open, host: VoiceHost) -> None:
    pane = viewer(RECORDING)
    citations = (
        RECORDING.citation("The lease ends in May.", after=RECORDING.text.index("Part 25.")),
        RECORDING.citation("It is nine hundred a month.", n=2),
    )
    pane.open_citation(citations, 0)
    play = pane.citation_bar.play_button
    await until(play.isVisible)
    assert play.text() == "Play from 12:40"
    assert host.session.sent(PlayDocument) == []
    play.click()
    await until(lambda: len(host.told) == 1)
    assert host.session.sent(PlayDocument)[0] == PlayDocument(document_id=5, start_s=760.0)
    pane.step_citation(1)  # what is heard goes on at the next one
    await until(lambda: len(host.told) == 2)
    assert host.session.sent(PlayDocument)[1].start_s == 25.0
    pane.recording.bar.play_button.click()
    pane.step_citation(-1)
    assert play.text() == "Play from 12:40" and len(host.told) == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("changed", "The recording changed since it was transcribed"),
        ("missing", "Its text is here, its sound is not."),
    ],
)
async def test_a_lost_recording_is_said_and_its_text_stays(
    viewer: Open, host: VoiceHost, source: str, words: str
) -> None:
    document = replace(RECORDING, source=source)
    pane = await opened(viewer, document)
    assert words in pane.banner.text
    assert not pane.recording.bar.play_button.isEnabled()
    assert "is not there" in pane.recording.bar.play_button.toolTip()
    QTest.mouseClick(pane.text.viewport(), Qt.MouseButton.LeftButton, pos=point_of(pane, "lease ends"))
    pane.toggle_sound()
    pane.open_citation((document.citation("It is nine hundred a month."),), 0)
    assert not pane.citation_bar.play_button.isVisible()
    assert host.session.sent(PlayDocument) == [] and "Good morning" in pane.text.toPlainText()


@pytest.mark.parametrize(
    ("error", "words", "still_playable"),
    [
        (MISSING, "Its text is here, its sound is not.", False),
        (CHANGED, "The recording changed", False),
        (
            NotFoundError("speaker.none", "No loudspeaker.", "Plug one in."),
            "No loudspeaker. Plug one in.",
            True,
        ),
    ],
)
async def test_what_goes_wrong_while_playing_is_said(
    viewer: Open, host: VoiceHost, error: Any, words: str, still_playable: bool
) -> None:
    pane = await opened(viewer)
    await playing(pane, host, 12.0)
    host.fail(error)
    await until(lambda: words in pane.banner.text)
    assert pane.recording.playback.state.phase == "stopped"
    assert pane.recording.bar.play_button.isEnabled() is still_playable
    if still_playable:
        pane.banner.buttons[0].click()
        await until(lambda: len(host.told) == 2)
        assert host.session.sent(PlayDocument)[1].start_s == 12.0


async def test_without_times_it_can_still_be_heard(
    viewer: Open, host: VoiceHost, session: FakeSession
) -> None:
    pane = viewer(RECORDING)
    session.reply(GetTextTimes, WorkerError("library.down", "The library does not answer.", "Try again."))
    pane.open_document(5)
    await until(lambda: "does not answer" in pane.banner.text)
    assert not pane.recording.gutter.isVisible()
    await playing(pane, host, 12.0)
    assert heard(pane) == ""


async def test_closing_is_silent(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    await playing(pane, host, 12.0)
    pane.close_document()
    await until(lambda: host.session.sent(StopReading))
    assert not pane.recording.bar.isVisible()
    pane.recording.playback.play()
    assert len(host.told) == 1


async def test_another_sound_ends_it(viewer: Open, host: VoiceHost) -> None:
    pane = await opened(viewer)
    await playing(pane, host, 12.0)
    host.told[-1].cancel()
    await until(lambda: pane.recording.playback.state.phase == "stopped")
    assert pane.recording.playback.state.seconds == 12.0
    assert pane.recording.bar.play_button.accessibleName() == "Play the recording"


def test_times_of_places_and_places_of_times() -> None:
    times = TextTimes(((0, 5, 1.0, 2.0), (6, 9, 4.0, 6.0)))
    assert [times.time_of(offset) for offset in (0, 5, 6, 99)] == [1.0, 1.0, 4.0, 4.0]
    assert [times.line_at(s) for s in (0.5, 1.5, 2.4, 3.0, 5.0)] == [None, (0, 5), (0, 5), None, (6, 9)]
    assert times.begins_at(0, 5) == 1.0 and times.begins_at(5, 6) is None and times.begins_at(1, 9) == 4.0
    assert times and not TextTimes() and TextTimes().time_of(3) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0:00"), (59.9, "0:59"), (600, "10:00"), (3661, "1:01:01")]
)
def test_times_are_told_as_players_do(seconds: float, words: str) -> None:
    assert clock(seconds) == words
