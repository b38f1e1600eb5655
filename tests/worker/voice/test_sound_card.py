"""The real path: Piper, PortAudio and a sound server, on a virtual sound card. What was said is recorded."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from app.core.errors import AppError
from app.protocol.speech import AudioDevices, FindAudioDevices, PauseSound, Play, Say, SoundPlayed, StopSound
from app.worker.voice.devices import SoundSystem
from app.worker.voice.ports import Samples
from app.worker.voice.speaking import Speaker
from app.worker.voice.synthesis import PiperVoice, Voices
from scripts.faults.sound_card import MICROPHONE, MICROPHONE_ID, SPEAKER, SPEAKER_ID, SoundCard, is_available
from tests.worker.voice.jobs import VOICE, Asked

pytestmark = [
    pytest.mark.linux,
    pytest.mark.skipif(not is_available(), reason="the commands of PulseAudio are not installed"),
]

RATE = 48_000


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCard]:
    with SoundCard() as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        for name in ("PULSE_SINK", "PULSE_SOURCE"):
            monkeypatch.setenv(name, "")
        yield made


@pytest.fixture
def system(card: SoundCard) -> SoundSystem:
    made = SoundSystem()
    find(made)
    find(made)  # the library may have been loaded by another test, for another sound card
    return made


@pytest.fixture
def speaker(system: SoundSystem, voice: PiperVoice) -> Iterator[Speaker]:
    made = Speaker(system, lambda: None, Voices(lambda path: voice))
    yield made
    made.end()


def find(system: SoundSystem) -> AudioDevices:
    return system.find(FindAudioDevices(), Asked(FindAudioDevices()).job)


def tone(seconds: float, frequency: float = 440.0) -> Samples:
    """A tone that never is exactly 0 for two samples, so that silence is told from it."""
    phase = np.arange(round(seconds * RATE)) * (2 * np.pi * frequency / RATE) + 0.001
    samples: Samples = (np.sin(phase) * 12_000).astype(np.int16)
    return samples


def play(speaker: Speaker, samples: Samples, device: str = "") -> Asked:
    request = Play(sample_rate=RATE, device=device)
    asked = Asked(request, samples.tobytes())
    speaker.play(request, asked.job)
    return asked


def stretches(samples: Samples) -> list[tuple[int, int]]:
    """Give the (begin, end) of what was heard, between silences of 5 ms or more."""
    at = np.flatnonzero(np.abs(samples) > 1)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > RATE // 200)
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(at, cuts + 1)]


def envelope(samples: Samples, rate: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Give the level of each 20 ms."""
    block = rate // 50
    whole = samples[: len(samples) // block * block].astype(float)
    return np.asarray(np.sqrt((whole.reshape(-1, block) ** 2).mean(axis=1)), dtype=np.float64)


class Ear:
    """What an open microphone hears."""

    def __init__(self, system: SoundSystem, device: str) -> None:
        self._came = threading.Condition()
        self.blocks: list[Samples] = []
        self.losses: list[AppError] = []
        self.microphone = system.open(device, self._take, self._lose)

    def _take(self, samples: Samples) -> None:
        with self._came:
            self.blocks.append(samples)
            self._came.notify_all()

    def _lose(self, error: AppError) -> None:
        with self._came:
            self.losses.append(error)
            self._came.notify_all()

    def samples(self) -> Samples:
        return np.concatenate(self.blocks) if self.blocks else np.empty(0, np.int16)

    def n_loud(self) -> int:
        return int(np.count_nonzero(np.abs(self.samples()) > 1000))

    def wait_for(self, is_enough: Callable[[], bool]) -> None:
        with self._came:
            assert self._came.wait_for(is_enough, 10.0)


def test_devices_have_their_own_names(card: SoundCard, system: SoundSystem) -> None:
    found = find(system)
    assert [(device.name, device.is_default) for device in found.inputs] == [("Desk microphone", True)]
    assert ("Desk speaker", True) in [(device.name, device.is_default) for device in found.outputs]
    card.add_loudspeaker("headset", "Headset")
    card.set_default_loudspeaker("headset")
    outputs = {device.name: device for device in find(system).outputs}
    assert outputs["Headset"].is_default
    assert not outputs["Desk speaker"].is_default
    card.remove("headset")
    assert "Headset" not in [device.name for device in find(system).outputs]


def test_what_is_said_is_heard(card: SoundCard, speaker: Speaker) -> None:
    """The level of the recording follows the level of what the voice speaks."""
    text = "The invoice was paid on Monday."
    request = Say(text=text, voice_path=str(VOICE), device=SPEAKER_ID)
    asked = Asked(request)
    with card.record_speaker() as recording:
        speaker.say(request, asked.job)
        ended = asked.wait()
        recorded = recording.stop()
    assert isinstance(ended, SoundPlayed)
    assert asked.has_started
    wanted = speaker.heard(
        round((asked.ended_at - 30.0) * 16_000), 480_000
    )  # what the echo guard believes was heard
    heard = envelope(recorded, RATE)
    guard = envelope((wanted * 32767).astype(np.int16), 16_000)
    spoken = guard[np.flatnonzero(guard > 50)[0] : np.flatnonzero(guard > 50)[-1]]
    assert len(spoken) / 50 == pytest.approx(ended.seconds, abs=0.5)
    score = max(
        np.corrcoef(spoken, heard[at : at + len(spoken)])[0, 1] for at in range(len(heard) - len(spoken))
    )
    assert score > 0.9
    assert np.abs(recorded).max() > 15_000


def test_sentences_follow_each_other_without_a_click(card: SoundCard, speaker: Speaker) -> None:
    whole = tone(0.9)
    with card.record_speaker() as recording:
        asked = [play(speaker, part) for part in (whole[:14_000], whole[14_000:14_100], whole[14_100:])]
        assert [isinstance(each.wait(), SoundPlayed) for each in asked] == [True] * 3
        recorded = recording.wait_for(lambda samples: len(samples) - stretches(samples)[-1][1] > RATE // 20)
    heard = stretches(recorded)
    assert len(heard) == 1
    begin, end = heard[0]
    assert end - begin == pytest.approx(len(whole), abs=2)
    # After the first 5 ms (a ramp) every sample is the one that was played.
    got, wanted = recorded[begin:end].astype(int), whole.astype(int)
    offset = len(wanted) - len(got)
    assert np.abs(got[300:-10] - wanted[300 + offset : len(wanted) - 10]).max() <= 2


def test_stop_is_silent_within_100_ms(card: SoundCard, speaker: Speaker) -> None:
    with card.record_speaker() as recording:
        asked = [play(speaker, tone(20.0)) for _ in range(3)]
        recording.wait_for_sound()
        recording.wait_for(lambda samples: stretches(samples)[0][1] - stretches(samples)[0][0] > RATE // 2)
        request = StopSound()
        n_before = len(recording.samples())
        speaker.stop(request, Asked(request).job)
        recorded = recording.wait_for(lambda samples: len(samples) > n_before + RATE)
    assert all(each.wait() and each.is_cancelled for each in asked)
    _, end = stretches(recorded)[-1]
    # Counted in samples of the card's clock; its own recording comes in blocks of 20 ms.
    assert end - n_before < RATE // 10


def test_a_pause_is_silent_and_goes_on(card: SoundCard, speaker: Speaker) -> None:
    seconds = 1.5
    rising = np.arange(round(seconds * RATE)) / RATE
    whole = (np.sin(2 * np.pi * (200 * rising + 300 * rising**2) + 0.001) * 12_000).astype(np.int16)
    with card.record_speaker() as recording:
        asked = play(speaker, whole)
        recording.wait_for_sound()
        recording.wait_for(lambda samples: stretches(samples)[0][1] - stretches(samples)[0][0] > RATE // 2)
        for paused in (True, False):
            speaker.pause(PauseSound(paused=paused), Asked(PauseSound(paused=paused)).job)
            n_enough = len(recording.samples()) + RATE // 3
            recording.wait_for(lambda samples, n=n_enough: len(samples) > n)  # type: ignore[misc]
        assert asked.wait() == SoundPlayed(seconds=seconds)
        recorded = recording.wait_for(lambda samples: len(samples) - stretches(samples)[-1][1] > RATE // 20)
    first, second = stretches(recorded)
    assert second[0] - first[1] > RATE // 5, "silence between"
    # Where in the whole the second part begins: nothing is left out, and little is said twice.
    probe = recorded[second[0] + 480 : second[0] + 480 + 4800].astype(float)
    begins_at = int(np.correlate(whole.astype(float), probe, "valid").argmax()) - 480
    repeated = (first[1] - first[0]) - begins_at
    assert -RATE // 200 <= repeated <= RATE // 8


def test_a_loudspeaker_that_is_unplugged(card: SoundCard, speaker: Speaker) -> None:
    """The server would move the sound to another loudspeaker; it must not go on there."""
    card.add_loudspeaker("headset", "Headset")
    with card.record_speaker(speaker="headset") as recording:
        asked = [play(speaker, tone(20.0), "server:headset") for _ in range(2)]
        recording.wait_for_sound()
        card.remove("headset")
        codes = [each.wait().code for each in asked]
    assert codes == ["speaker.lost"] * 2
    assert card.n_playing() == 0
    again = play(speaker, tone(0.1), "server:headset").wait()
    assert (again.code, bool(again.hint)) == ("speaker.not_found", True)
    assert play(speaker, tone(0.1)).wait() == SoundPlayed(seconds=0.1)


def test_the_sound_server_dies(card: SoundCard, system: SoundSystem, speaker: Speaker) -> None:
    ear = Ear(system, "")
    asked = play(speaker, tone(20.0))
    with card.record_speaker() as recording:
        recording.wait_for_sound()
    card.stop()
    assert asked.wait().code == "speaker.lost"
    ear.wait_for(lambda: bool(ear.losses))
    assert [error.code for error in ear.losses] == ["microphone.lost"]
    ear.microphone.close()
    speaker.end()
    found = find(system)
    assert (found.inputs, found.outputs) == ((), ())
    assert found.problem
    assert found.hint
    with pytest.raises(AppError) as caught:
        system.open("", lambda samples: None, lambda error: None)
    assert caught.value.code == "microphone.none"


def test_what_is_said_into_the_microphone(card: SoundCard, system: SoundSystem) -> None:
    assert card.n_recording() == 0
    ear = Ear(system, MICROPHONE_ID)
    assert card.n_recording() == 1, "its sign shows"
    ear.wait_for(lambda: len(ear.samples()) > 1600)
    assert not np.any(ear.samples())
    card.play_into(tone(0.5, 1000.0), RATE).wait()
    ear.wait_for(lambda: ear.n_loud() > 6500)
    ear.microphone.close()
    n_samples = len(ear.samples())
    assert card.n_recording() == 0
    heard = ear.samples().astype(float)
    loud = np.flatnonzero(np.abs(heard) > 1000)
    middle = heard[loud[0] + 800 : loud[-1] - 800]
    peak = np.fft.rfftfreq(len(middle), 1 / 16_000)[np.abs(np.fft.rfft(middle)).argmax()]
    assert peak == pytest.approx(1000, abs=5)
    assert np.abs(middle).max() == pytest.approx(12_000, rel=0.05)
    assert all(160 <= len(block) <= 1600 for block in ear.blocks)
    assert len(ear.samples()) == n_samples, "nothing comes after it was closed"


def test_a_microphone_that_is_unplugged(card: SoundCard, system: SoundSystem) -> None:
    """The server would move the recording to another microphone, which nobody has agreed to."""
    card.add_microphone("webcam", "Webcam")
    ear = Ear(system, MICROPHONE_ID)
    ear.wait_for(lambda: bool(ear.blocks))
    card.remove(MICROPHONE)
    ear.wait_for(lambda: bool(ear.losses))
    assert [error.code for error in ear.losses] == ["microphone.lost"]
    assert card.n_recording() == 0
    ear.microphone.close()
    with pytest.raises(AppError) as caught:
        system.open(MICROPHONE_ID, lambda samples: None, lambda error: None)
    assert caught.value.code == "microphone.not_found"
    card.remove("webcam")
    with pytest.raises(AppError) as caught:
        system.open("", lambda samples: None, lambda error: None)
    assert caught.value.code == "microphone.none"


def test_speaking_and_listening_at_once(card: SoundCard, system: SoundSystem, speaker: Speaker) -> None:
    ear = Ear(system, "")
    with card.record_speaker() as recording:
        asked = play(speaker, tone(1.0))
        recording.wait_for_sound()
        card.play_into(tone(0.2, 1000.0), RATE).wait()
        assert asked.wait() == SoundPlayed(seconds=1.0)
    ear.wait_for(lambda: ear.n_loud() > 2500)
    ear.microphone.close()
    card.remove(SPEAKER)
    assert find(system).inputs
