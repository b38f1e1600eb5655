"""The one reading of the window: what is asked of the host, and what is told of it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.core.errors import NotFoundError, WorkerError
from app.protocol.system import Notice, SettingsChanged, UpdateSettings
from app.protocol.voice import ControlReading, ExtendReading, ReadAloud, ReadingProgress, StopReading
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.voice.reading_controller import NOTHING, Reading, ReadingController, ReadingOutcome, Sentence
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.voice.hosted import VoiceHost

TEXT = "One is first. Two is second. Three is third."


@dataclass
class Heard:
    """What a controller tells."""

    readings: list[Reading] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)
    outcomes: list[ReadingOutcome] = field(default_factory=list)
    paces: list[tuple[float, float]] = field(default_factory=list)

    def listen(self, controller: ReadingController) -> None:
        controller.reading_changed.connect(self.readings.append)
        controller.sentence_changed.connect(self.sentences.append)
        controller.ended.connect(self.outcomes.append)
        controller.pace_changed.connect(self._take_pace)

    def _take_pace(self, speed: float, volume: float) -> None:
        self.paces.append((speed, volume))


@pytest.fixture
def host(session: FakeSession) -> VoiceHost:
    return VoiceHost(session)


@pytest.fixture
async def controller(
    host: VoiceHost, tasks: TaskSpawner, notifier: Notifier
) -> AsyncIterator[ReadingController]:
    controller = ReadingController(host.session, tasks, notifier)
    yield controller
    await tasks.close()
    controller.deleteLater()


@pytest.fixture
def heard(controller: ReadingController) -> Heard:
    heard = Heard()
    heard.listen(controller)
    return heard


async def begun(controller: ReadingController, host: VoiceHost, **how: Any) -> None:
    n = len(host.told)
    controller.read("m1", TEXT, **how)
    await until(lambda: len(host.told) == n + 1)


async def test_a_text_is_read_sentence_by_sentence(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    assert not controller.is_reading and controller.reading == NOTHING
    await begun(controller, host)
    assert controller.is_reading and controller.reading.phase == "preparing"
    host.speak("One is first.")
    await until(lambda: controller.reading.phase == "speaking")
    assert heard.sentences == [Sentence("m1", 0, 13)]
    host.speak("Two is second.")
    host.end()
    await until(lambda: heard.outcomes)
    assert heard.outcomes == [ReadingOutcome("m1", "end")]
    assert [(s.start, s.end) for s in heard.sentences] == [(0, 13), (14, 28), (0, 0)]
    assert not controller.is_reading and heard.readings[-1] == NOTHING
    assert host.session.sent(ReadAloud)[0].text == TEXT and host.session.sent(ReadAloud)[0].whole


async def test_ranges_of_a_part_are_told_in_the_whole_message(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    await begun(controller, host, offset=100, title="A part", without_marks=True)
    host.speak("Two is second.")
    await until(lambda: heard.sentences)
    assert heard.sentences == [Sentence("m1", 114, 128, without_marks=True)]
    assert controller.reading.title == "A part"


async def test_more_text_comes_at_once_then_a_few_times_a_second_and_its_end_at_once(
    controller: ReadingController, host: VoiceHost
) -> None:
    await begun(controller, host, whole=False)
    for n in range(1, 30):
        controller.extend("m1", TEXT + " more" * n, False)
    await until(lambda: len(host.session.sent(ExtendReading)) == 2)
    controller.extend("m1", TEXT + " more" * 30, False)  # waits, and is overtaken by the end
    controller.extend("m1", TEXT + " more" * 30 + " and the end.", True)
    await until(lambda: len(host.session.sent(ExtendReading)) == 3)
    first, second, last = host.session.sent(ExtendReading)
    assert (first.text, first.whole) == (TEXT + " more", False)
    assert (second.text, second.whole) == (TEXT + " more" * 29, False)
    assert (last.text, last.whole) == (TEXT + " more" * 30 + " and the end.", True)
    controller.extend("m1", "later", True)  # the text was whole already
    controller.extend("m2", "another", True)
    assert controller.reading.text == TEXT + " more" * 30 + " and the end."


@pytest.mark.parametrize(
    ("wish", "request_"),
    [
        (lambda c: c.pause(), {"paused": True}),
        (lambda c: c.skip(-1), {"skip": -1}),
        (lambda c: c.set_speed(1.5), {"speed": 1.5}),
        (lambda c: c.set_speed(9.0), {"speed": 2.0}),
        (lambda c: c.set_volume(0.25), {"volume": 0.25}),
    ],
)
async def test_wishes_reach_the_host(
    controller: ReadingController,
    host: VoiceHost,
    wish: Callable[[ReadingController], None],
    request_: dict[str, Any],
) -> None:
    wish(controller)  # nothing is read yet
    assert host.session.sent(ControlReading) == []
    controller.set_speed(1.0)
    controller.set_volume(1.0)
    await begun(controller, host)
    wish(controller)
    await until(lambda: host.session.sent(ControlReading))
    sent = host.session.sent(ControlReading)[0]
    assert sent == ControlReading(reading=controller.reading.id, **request_)


async def test_pausing_shows_at_once_and_resuming_too(controller: ReadingController, host: VoiceHost) -> None:
    await begun(controller, host)
    controller.toggle_pause()
    assert controller.reading.phase == "paused"
    controller.pause()  # it is already
    controller.resume()
    assert controller.reading.phase == "speaking"
    await until(lambda: len(host.session.sent(ControlReading)) == 2)
    assert [sent.paused for sent in host.session.sent(ControlReading)] == [True, False]


async def test_stopping_is_silent_at_once(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    controller.stop()  # nothing is read: nothing is asked
    await begun(controller, host)
    controller.stop()
    assert not controller.is_reading
    assert heard.outcomes == [ReadingOutcome("m1", "stopped")]
    await until(lambda: host.session.sent(StopReading))
    host.tell(ReadingProgress(phase="speaking", start=0, end=3))  # too late
    await until(lambda: len(host.session.sent(StopReading)) == 1)
    assert heard.outcomes == [ReadingOutcome("m1", "stopped")] and not controller.is_reading


async def test_another_text_takes_the_place_of_the_first(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    await begun(controller, host)
    controller.read("m2", "Other words.")
    await until(lambda: len(host.told) == 2)
    assert heard.outcomes == [ReadingOutcome("m1", "replaced")]
    host.speak("Other words.")
    await until(lambda: heard.sentences)
    assert heard.sentences == [Sentence("m2", 0, 12)]
    assert host.session.sent(StopReading) == []  # the host ends the first by itself


async def test_somebody_who_speaks_interrupts(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    await begun(controller, host)
    host.end("interrupted")
    await until(lambda: heard.outcomes)
    assert heard.outcomes == [ReadingOutcome("m1", "interrupted")]


async def test_what_goes_wrong_is_said_in_words(
    controller: ReadingController, host: VoiceHost, heard: Heard, notifier: Notifier
) -> None:
    notices: list[Notice] = []
    notifier.subscribe(notices.append)
    error = NotFoundError("voice.none", "There is no voice to read with.", "Get one under Models.")
    await begun(controller, host)
    host.fail(error)
    await until(lambda: heard.outcomes)
    assert heard.outcomes == [ReadingOutcome("m1", "error", error)]
    assert [(n.message, n.hint) for n in notices] == [(error.user_message, error.hint)]


async def test_a_cancelled_reading_is_a_stopped_one(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    await begun(controller, host)
    host.told[-1].cancel()
    await until(lambda: heard.outcomes)
    assert heard.outcomes == [ReadingOutcome("m1", "stopped")]


async def test_a_wish_that_fails_leaves_the_reading_alone(
    controller: ReadingController, host: VoiceHost
) -> None:
    host.session.reply(ControlReading, WorkerError("worker.died", "It ended."))
    await begun(controller, host)
    controller.skip(1)
    await until(lambda: host.session.sent(ControlReading))
    assert controller.is_reading


async def test_speed_and_volume_are_kept_and_follow_the_settings(
    controller: ReadingController, host: VoiceHost, heard: Heard
) -> None:
    controller.set_speed(1.25)
    controller.set_volume(0.5)
    host.session.deliver(SettingsChanged(values={"voice_speed": 0.75}))  # older than ours
    assert (controller.speed, controller.volume) == (1.25, 0.5)
    await until(lambda: host.session.sent(UpdateSettings))
    assert host.session.sent(UpdateSettings)[0].values == {"voice_speed": 1.25, "voice_volume": 0.5}
    host.session.deliver(SettingsChanged(values={"voice_speed": 0.75, "voice_volume": 0.5}))
    host.session.deliver(SettingsChanged(values={"voice_speed": 0.75, "voice_volume": 0.5}))
    assert heard.paces == [(1.25, 1.0), (1.25, 0.5), (0.75, 0.5)]
    await begun(controller, host)
    assert host.session.sent(ReadAloud)[0].speed == 0.75


async def test_a_new_volume_is_stored_before_the_next_reading(
    controller: ReadingController, host: VoiceHost
) -> None:
    controller.set_volume(0.3)
    await begun(controller, host)
    kinds = [type(request) for request in host.session.requests]
    assert kinds.index(UpdateSettings) < kinds.index(ReadAloud)
