"""Reading aloud by the worker's real process, on a virtual sound card: stopped, unplugged, killed, ended."""

import subprocess
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from app.protocol.body import Body
from app.protocol.speech import (
    AudioDevices,
    FindAudioDevices,
    Say,
    SoundPlayed,
    SoundStarted,
    StopSound,
    Synthesize,
)
from scripts.bench.worker_client import RequestCancelled, RequestFailed, WorkerClient, WorkerGone
from scripts.faults.sound_card import SPEAKER, SoundCard, is_available
from tests.worker.voice.jobs import VOICE

pytestmark = [
    pytest.mark.linux,
    pytest.mark.slow,
    pytest.mark.skipif(not is_available(), reason="the commands of PulseAudio are not installed"),
]

LONG = "The committee has not decided whether the bridge will be repaired or replaced. " * 5


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCard]:
    with SoundCard() as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def worker(card: SoundCard) -> Iterator[WorkerClient]:
    with WorkerClient("voice", stderr=subprocess.DEVNULL) as running:
        running.call(Synthesize(text="", voice_path=str(VOICE)))  # loads the voice
        yield running


def say(text: str, device: str = "") -> Say:
    return Say(text=text, voice_path=str(VOICE), device=device)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sentences_are_said_and_stopped(card: SoundCard, worker: WorkerClient) -> None:
    devices = worker.call(FindAudioDevices())
    assert isinstance(devices, AudioDevices)
    assert [device.name for device in devices.outputs if device.is_default] == ["Desk speaker"]
    progress: list[Body] = []
    with card.record_speaker() as recording:
        first, second = worker.start(say("It rains.")), worker.start(say("The sun shines."))
        assert worker.wait(first, SoundPlayed, progress.append).seconds > 0.3
        assert worker.wait(second, SoundPlayed).seconds > 0.3
        assert isinstance(progress[0], SoundStarted)
        assert np.abs(recording.samples()).max() > 10_000
        n_before = len(recording.samples())
        asked = [worker.start(say(LONG)) for _ in range(3)]
        recording.wait_for(lambda samples: bool(np.any(np.abs(samples[n_before:]) > 2000)))
        worker.call(StopSound())
        n_stopped = len(recording.samples())
        recorded = recording.wait_for(lambda samples: len(samples) > n_stopped + recording.rate // 2)
    assert not np.any(np.abs(recorded[n_stopped + recording.rate // 10 :]) > 1)
    for request in asked:
        with pytest.raises(RequestCancelled):
            worker.wait(request, SoundPlayed)
    wait_until(lambda: card.n_playing() == 0)


def test_an_unplugged_loudspeaker_and_a_killed_worker(card: SoundCard, worker: WorkerClient) -> None:
    asked = worker.start(say(LONG))
    assert isinstance(worker.await_progress(asked), SoundStarted)
    card.remove(SPEAKER)
    with pytest.raises(RequestFailed) as caught:
        worker.wait(asked, SoundPlayed)
    assert caught.value.body.code == "speaker.lost"
    card.add_loudspeaker(SPEAKER, "Desk speaker")
    card.set_default_loudspeaker(SPEAKER)
    asked = worker.start(say(LONG))
    assert isinstance(worker.await_progress(asked), SoundStarted)
    assert card.n_playing() == 1
    worker.kill()
    with pytest.raises(WorkerGone):
        worker.wait(asked, SoundPlayed)
    wait_until(lambda: card.n_playing() == 0)


def test_a_worker_that_ends_while_it_speaks(card: SoundCard) -> None:
    with WorkerClient("voice", stderr=subprocess.DEVNULL) as worker:
        asked = worker.start(say(LONG))
        assert isinstance(worker.await_progress(asked), SoundStarted)
    assert worker.process.returncode == 0
    wait_until(lambda: card.n_playing() == 0)
