"""Which microphones and loudspeakers there are, and opening one, on systems of all kinds."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.errors import AppError
from app.protocol.speech import AudioDevices, FindAudioDevices
from app.worker.voice import devices as module
from app.worker.voice.devices import SoundSystem
from app.worker.voice.portaudio import PortAudio
from app.worker.voice.sound_server import ServerDevice, ServerDevices, SoundServer
from tests.worker.voice.fake_portaudio import Device, FakeModule, HostApi, PortAudioError
from tests.worker.voice.jobs import Asked


class Server(SoundServer):
    """A sound server whose devices the test chooses."""

    def __init__(self, found: ServerDevices | None = None) -> None:
        super().__init__()
        self.found = found

    def devices(self) -> ServerDevices | None:
        return self.found


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULSE_SOURCE", "PULSE_SINK"):
        monkeypatch.setenv(name, "")


def system(portaudio: FakeModule, server: Server | None = None) -> SoundSystem:
    return SoundSystem(PortAudio(lambda: portaudio), server or Server())


def find(sound: SoundSystem) -> AudioDevices:
    request = FindAudioDevices()
    return sound.find(request, Asked(request).job)


def names(found: AudioDevices) -> tuple[list[str], list[str]]:
    def shown(devices: Any) -> list[str]:
        return [device.name + " *" * device.is_default for device in devices]

    return shown(found.inputs), shown(found.outputs)


def windows() -> FakeModule:
    both = [Device("Microphone (USB)", inputs=2), Device("Speakers (USB)", outputs=2)]
    return FakeModule(
        [
            HostApi("MME", [Device("Sound Mapper", 2, 2), *both], 0, 0),
            HostApi("Windows DirectSound", [Device("Primary", 2, 2), *both], 0, 0),
            HostApi("Windows WASAPI", list(both), 0, 1),
            HostApi("Windows WDM-KS", list(both), 0, 1),
        ]
    )


def alsa_cards() -> FakeModule:
    return FakeModule(
        [
            HostApi(
                "ALSA",
                [
                    Device("HDA Intel PCH: ALC257 Analog (hw:0,0)", 2, 2),
                    Device("HDA Intel PCH: HDMI 0 (hw:0,3)", 0, 8),
                    Device("USB Audio: - (hw:1,0)", 1, 0, 44_100.0),
                    Device("USB Audio: - (hw:2,0)", 1, 0, 44_100.0),
                    *(Device(name, 128, 128) for name in ("sysdefault", "lavrate", "speexrate", "jack")),
                    *(Device(name, 0, 6) for name in ("front", "surround51", "hdmi", "dmix")),
                    Device("default", 128, 128),
                ],
                12,
                12,
            ),
            HostApi("OSS", []),
        ]
    )


def pulse() -> FakeModule:
    return FakeModule([HostApi("ALSA", [Device("pulse", 32, 32, 44_100.0), Device("default", 32, 32)], 1, 1)])


def served() -> ServerDevices:
    return ServerDevices(
        sources=[
            ServerDevice("desk.monitor", "Monitor of Desk", is_monitor=True),
            ServerDevice("webcam", "Webcam"),
            ServerDevice("headset", "Headset microphone"),
        ],
        sinks=[ServerDevice("desk", "Desk"), ServerDevice("headset_out", "Headset")],
        default_source="headset",
        default_sink="desk",
    )


def test_one_entry_for_each_device_of_windows() -> None:
    assert names(find(system(windows()))) == (["Microphone (USB) *"], ["Speakers (USB) *"])


def test_a_mac() -> None:
    portaudio = FakeModule(
        [HostApi("Core Audio", [Device("MacBook Microphone", 1), Device("MacBook Speakers", 0, 2)], 0, 1)]
    )
    found = find(system(portaudio))
    assert names(found) == (["MacBook Microphone *"], ["MacBook Speakers *"])
    assert found.inputs[0].id == "Core Audio:MacBook Microphone"


def test_linux_without_a_sound_server_shows_cards_and_no_plugins() -> None:
    inputs, outputs = names(find(system(alsa_cards())))
    assert inputs == ["System default *", "HDA Intel PCH: ALC257 Analog", "USB Audio", "USB Audio (2)"]
    assert outputs == ["System default *", "HDA Intel PCH: ALC257 Analog", "HDA Intel PCH: HDMI 0"]


def test_a_sound_server_names_its_own_devices() -> None:
    found = find(system(pulse(), Server(served())))
    assert names(found) == (["Webcam", "Headset microphone *"], ["Desk *", "Headset"])
    assert [device.id for device in found.outputs] == ["server:desk", "server:headset_out"]


def test_a_server_without_devices_has_only_placeholders() -> None:
    empty = ServerDevices(
        sources=[ServerDevice("auto_null.monitor", "Monitor of Dummy Output", is_monitor=True)],
        sinks=[ServerDevice("auto_null", "Dummy Output")],
        default_source="auto_null.monitor",
        default_sink="auto_null",
    )
    found = find(system(pulse(), Server(empty)))
    assert (found.inputs, found.outputs) == ((), ())
    assert "was found" in found.problem
    assert found.hint


def test_devices_that_were_plugged_in_meanwhile_are_seen() -> None:
    portaudio = windows()
    sound = system(portaudio)
    find(sound)
    portaudio.apis[2].devices.append(Device("Headset", inputs=1))
    assert names(find(sound))[0] == ["Microphone (USB) *", "Headset"]


def test_with_a_stream_open_the_list_stays_as_it_was() -> None:
    portaudio = windows()
    sound = system(portaudio)
    find(sound)
    speaker = sound.open_loudspeaker("", 22_050, print)
    portaudio.apis[2].devices.append(Device("Headset", inputs=1))
    assert names(find(sound))[0] == ["Microphone (USB) *"]
    speaker.close()
    assert len(names(find(sound))[0]) == 2


def test_a_device_plugged_in_a_moment_ago_can_be_opened() -> None:
    portaudio = windows()
    sound = system(portaudio)
    find(sound)
    portaudio.apis[2].devices.append(Device("Headphones", outputs=2))
    sound.open_loudspeaker("Windows WASAPI:Headphones", 22_050, print).close()
    assert portaudio.streams[-1].arguments["device"] == 8


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (OSError("PortAudio library not found"), "PortAudio"),
        (ImportError("no module"), "PortAudio"),
        (PortAudioError("Error initializing PortAudio", -9999), "does not start"),
    ],
)
def test_a_missing_library_is_a_problem_in_words(error: Exception, part: str) -> None:
    def fail() -> Any:
        raise error

    sound = SoundSystem(PortAudio(fail), Server())
    found = find(sound)
    assert part in found.problem
    assert found.hint
    with pytest.raises(AppError) as caught:
        sound.open("", print, print)
    assert caught.value.code == "microphone.none"
    assert caught.value.user_message == found.problem
    with pytest.raises(AppError) as caught:
        sound.open_loudspeaker("", 22_050, print)
    assert caught.value.code == "speaker.none"


def test_a_sound_system_that_fails_later_is_a_problem_in_words() -> None:
    portaudio = windows()
    sound = system(portaudio)
    find(sound)
    portaudio.initialize_error = PortAudioError("Error initializing PortAudio", -9999)
    assert "does not answer" in find(sound).problem
    portaudio.initialize_error = None
    portaudio._initialize()
    assert find(sound).inputs


def test_nothing_is_plugged_in() -> None:
    sound = system(FakeModule([HostApi("ALSA", []), HostApi("OSS", [])]))
    assert "No microphone" in find(sound).problem
    for open_one, code in (
        (lambda: sound.open("", print, print), "microphone.none"),
        (lambda: sound.open("ALSA:gone", print, print), "microphone.none"),
        (lambda: sound.open_loudspeaker("", 22_050, print), "speaker.none"),
    ):
        assert code_of(open_one) == code


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(AppError) as caught:
        act()
    assert caught.value.hint
    return caught.value.code


def test_a_chosen_device_that_is_not_there() -> None:
    sound = system(windows())
    assert code_of(lambda: sound.open("Windows WASAPI:Gone", print, print)) == "microphone.not_found"
    sound = system(pulse(), Server(served()))
    assert code_of(lambda: sound.open_loudspeaker("server:gone", 22_050, print)) == "speaker.not_found"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("Device unavailable", -9985), "busy"),
        (("Unanticipated host error", -9999, (0, -13, "Permission denied")), "denied"),
        (("Invalid device", -9996), "not_found"),
        (("Internal PortAudio error", -9986), "failed"),
    ],
)
def test_refusals_have_words(arguments: tuple[Any, ...], reason: str) -> None:
    portaudio = windows()
    portaudio.refuse = lambda _: PortAudioError(*arguments)
    sound = system(portaudio)
    assert code_of(lambda: sound.open("", print, print)) == f"microphone.{reason}"
    speaker = "failed" if reason == "denied" else reason
    assert code_of(lambda: sound.open_loudspeaker("", 22_050, print)) == f"speaker.{speaker}"


def test_a_device_that_does_not_start_is_closed_again() -> None:
    portaudio = windows()
    portaudio.start_error = PortAudioError("Unanticipated host error", -9999, (0, -16, "busy"))
    sound = system(portaudio)
    assert code_of(lambda: sound.open("", print, print)) == "microphone.busy"
    assert portaudio.n_closed == 1
    speaker = sound.open_loudspeaker("", 22_050, print)
    assert code_of(speaker.start) == "speaker.busy"
    speaker.close()
    assert portaudio.n_closed == 2


def test_a_rate_that_is_refused_becomes_the_devices_own() -> None:
    portaudio = windows()
    portaudio.refuse = lambda arguments: (
        None if arguments["samplerate"] == 48_000 else PortAudioError("Invalid sample rate", -9997)
    )
    sound = system(portaudio)
    speaker = sound.open_loudspeaker("", 22_050, print)
    assert speaker.sample_rate == 48_000
    speaker.close()
    microphone = sound.open("", lambda samples: None, lambda error: None)
    assert portaudio.streams[-1].arguments["samplerate"] == 48_000
    microphone.close()
    portaudio.refuse = lambda arguments: PortAudioError("Invalid sample rate", -9997)
    assert code_of(lambda: sound.open_loudspeaker("", 22_050, print)) == "speaker.failed"
    assert code_of(lambda: sound.open_loudspeaker("", 48_000, print)) == "speaker.failed"


def test_the_server_is_told_which_of_its_devices() -> None:
    sound = system(pulse(), Server(served()))
    chosen = []
    for device in ("server:headset_out", ""):
        speaker = sound.open_loudspeaker(device, 22_050, print)
        chosen.append(os.environ["PULSE_SINK"])
        speaker.close()
    assert chosen == ["headset_out", "desk"]
    sound.open("server:webcam", lambda samples: None, lambda error: None).close()
    assert os.environ["PULSE_SOURCE"] == "webcam"


def test_the_users_own_choice_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SINK", "headset_out")
    sound = system(pulse(), Server(served()))
    assert names(find(sound))[1] == ["Desk", "Headset *"]


def test_a_device_of_the_server_that_goes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.0)
    server = Server(served())
    speaker = system(pulse(), server).open_loudspeaker("", 22_050, print)
    speaker.start()
    time.sleep(0.001)
    assert not speaker.is_lost()
    server.found = None  # it does not answer; the stream would end by itself
    assert not speaker.is_lost()
    server.found = served()
    del server.found.sinks[0]
    assert speaker.is_lost()
    speaker.close()


def test_a_stream_that_ends_is_lost() -> None:
    portaudio = windows()
    speaker = system(portaudio).open_loudspeaker("", 22_050, print)
    speaker.start()
    assert not speaker.is_lost()
    portaudio.streams[-1].active = False
    assert speaker.is_lost()
    speaker.close()
