"""Citations from recordings tell their time instead of a page."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.core.errors import WorkerError
from app.protocol.documents import GetTextTimes, TextTimes
from app.ui.chat.citation_times import CitationTimes
from app.ui.chat.message_text import MessageText
from app.ui.chat.sources import SourcesList
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.chat.test_annotations import CITATION
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

TALK = replace(CITATION, name="Meeting.MP3", path="/d/Meeting.MP3", page=None)
SPANS = TextTimes(spans=((8, 30, 754.4, 760.0), (31, 50, 760.0, 770.0)))


@pytest.fixture
async def times(session: FakeSession, tasks: TaskSpawner) -> AsyncIterator[CitationTimes]:
    times = CitationTimes(session, tasks)
    yield times
    await tasks.close()
    times.deleteLater()


async def test_a_source_from_a_recording_tells_its_time(
    session: FakeSession, times: CitationTimes, theme: Theme
) -> None:
    session.reply(GetTextTimes, SPANS)
    sources = SourcesList(theme, times=times)
    sources.set_citations((TALK, replace(CITATION, n=2, document_id=9)))
    talk, pages = sources._buttons
    assert talk.place == "Meeting.MP3" and pages.place == "a.pdf · page 2"
    await until(lambda: talk.place == "Meeting.MP3 · at 12:34")
    assert talk.accessibleName() == "Source 1: Meeting.MP3 · at 12:34"
    assert "Meeting.MP3, at 12:34" in talk.toolTip()
    assert session.sent(GetTextTimes) == [GetTextTimes(document_id=3, char_start=10, char_end=20)]
    sources.show()
    assert not sources.grab().isNull()
    sources.close()
    sources.deleteLater()


async def test_the_number_in_the_text_tells_it_too(
    session: FakeSession, times: CitationTimes, theme: Theme
) -> None:
    session.reply(GetTextTimes, SPANS)
    view = MessageText(theme, times=times)
    view.resize(300, 100)
    text = "It ends in May [1]."
    view.set_markdown(text, (replace(TALK, answer_start=0, answer_end=len(text)),))
    view.show()
    cursor = view.document().find("1")
    place = view.cursorRect(cursor).center()
    place.setX(place.x() - 2)
    assert view.tooltip_at(place).startswith("Meeting.MP3\n")
    await until(lambda: view.tooltip_at(place).startswith("Meeting.MP3, at 12:34\n"))
    view.close()
    view.deleteLater()


async def test_what_could_not_be_told_is_asked_again_of_the_next_host(
    session: FakeSession, times: CitationTimes
) -> None:
    session.reply(GetTextTimes, WorkerError("library.down", "It does not answer."))
    assert times.time_of(TALK) is None
    await until(lambda: session.sent(GetTextTimes))
    assert times.time_of(TALK) is None and len(session.sent(GetTextTimes)) == 1
    session.reply(GetTextTimes, SPANS)
    session.connect_now()
    assert times.time_of(TALK) is None
    await until(lambda: times.time_of(TALK) == 754.4)
    session.connect_now()
    assert times.time_of(TALK) == 754.4
    session.reply(GetTextTimes, TextTimes(spans=()))
    silent = replace(TALK, document_id=4)
    assert times.time_of(silent) is None
    await until(lambda: len(session.sent(GetTextTimes)) == 3)
    assert times.time_of(silent) is None
