"""Microphones and loudspeakers: which there are, and opening one.

Where a PulseAudio or PipeWire server runs, its own list is shown, and PortAudio reaches it through ALSA's
device `pulse`; which of the server's devices that means is told to the server's library by an environment
variable when the stream is opened. Elsewhere PortAudio's list is shown.
"""

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.errors import AppError
from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import AudioDevice, AudioDevices, FindAudioDevices
from app.worker.runtime import Job
from app.worker.voice.microphone import Microphone
from app.worker.voice.portaudio import PortAudio, PortAudioDevice, PortAudioStream
from app.worker.voice.ports import OpenMicrophone, Samples
from app.worker.voice.sound_errors import (
    Reason,
    SoundError,
    is_refused_format,
    microphone_error,
    reason_of,
    speaker_error,
)
from app.worker.voice.sound_server import ServerDevice, ServerDevices, SoundServer

INPUT_LATENCY_S = 0.06
OUTPUT_LATENCY_S = 0.2
"""Long enough for two busy cores; what waits in it is dropped when the sound stops."""
WATCH_S = 0.5

_SERVER = "server:"
_SERVER_BRIDGE = "pulse"
# ALSA lists its plug-ins and every way to reach a card as if they were devices.
_ALSA_PLUGINS = re.compile(
    r"(default|sysdefault|pulse|pipewire|jack|oss|null|lavrate|samplerate|speexrate|speex|upmix|vdownmix|dmix"
    r"|dsnoop|dsp|front|rear|center_lfe|side|surround\d+|iec958|spdif|hdmi|modem|a52|usbstream)(:.*|\d*)"
)
_ALSA_CARD = re.compile(r"(?P<title>.+?)(: -|: \* *|: )?\s*\(hw:\d+,\d+\)")


@dataclass(frozen=True)
class KnownDevice:
    """A microphone or loudspeaker, and how to reach it.

    Attributes:
        id: see `AudioDevice`.
        index: PortAudio's, None where it is to be the server's.
        server_name: the server's name for it; empty where it has none.
        default_rate: samples a second that it takes in any case.
    """

    id: str
    title: str
    is_default: bool
    index: int
    server_name: str
    default_rate: int


class _Direction:
    """What recording and playing differ in."""

    def __init__(self, kind: str, variable: str, latency_s: float, error: Callable[..., SoundError]) -> None:
        self.kind = kind
        self.variable = variable  # Source: pulseaudio(1), "Environment variables"
        self.latency_s = latency_s
        self.error = error
        self.users_choice = os.environ.get(variable)


class OpenLoudspeaker:
    """A loudspeaker that is open; every method from one thread."""

    def __init__(self, stream: PortAudioStream, is_gone: Callable[[], bool]) -> None:
        """Take its stream."""
        self._stream = stream
        self._is_gone = is_gone
        self._next_watch = time.monotonic() + WATCH_S

    @property
    def sample_rate(self) -> int:
        """Samples a second that it takes."""
        return self._stream.sample_rate

    def start(self) -> None:
        """Begin to ask for samples. Raises AppError."""
        try:
            self._stream.start()
        except Exception as error:  # PortAudio's class is known only to the library, which comes late
            raise speaker_error(reason_of(error), error) from error

    def abort(self) -> None:
        """Be silent at once; it can be started again."""
        self._stream.abort()

    def close(self) -> None:
        """Close it; it asks for nothing afterwards."""
        self._stream.abort()
        self._stream.close()

    def is_lost(self) -> bool:
        """Whether it has gone, or fails; ask only while it runs."""
        if not self._stream.is_active:
            return True
        now = time.monotonic()
        if now < self._next_watch:
            return False
        self._next_watch = now + WATCH_S
        return self._is_gone()


class SoundSystem:
    """The sound devices of this computer. Any thread."""

    def __init__(self, portaudio: PortAudio | None = None, server: SoundServer | None = None) -> None:
        """Load nothing yet."""
        self._portaudio = portaudio or PortAudio()
        self._server = server or SoundServer()
        self._input = _Direction("RawInputStream", "PULSE_SOURCE", INPUT_LATENCY_S, microphone_error)
        self._output = _Direction("RawOutputStream", "PULSE_SINK", OUTPUT_LATENCY_S, speaker_error)

    # --------------------------------------------------------------------------------------- looking

    def find(self, _request: FindAudioDevices, _job: Job) -> AudioDevices:
        """Look what is plugged in now; a missing sound system is told, not raised."""
        try:
            with self._portaudio.lock:
                self._portaudio.refresh()
                inputs, outputs = self._known(self._input), self._known(self._output)
        except AppError as error:
            return AudioDevices(inputs=(), outputs=(), problem=error.user_message, hint=error.hint)
        if not inputs and not outputs:
            return AudioDevices(
                inputs=(),
                outputs=(),
                problem="No microphone and no loudspeaker was found.",
                hint="Plug in headphones or a microphone, or look at the sound settings of the system.",
            )
        return AudioDevices(inputs=_shown(inputs), outputs=_shown(outputs))

    def _known(self, direction: _Direction) -> list[KnownDevice]:
        is_input = direction is self._input
        listed = [
            device
            for device in self._portaudio.devices()
            if (device.n_inputs if is_input else device.n_outputs) > 0
        ]
        bridge = next((device for device in listed if device.name == _SERVER_BRIDGE), None)
        served = self._server.devices() if bridge is not None else None
        if bridge is not None and served is not None:
            return _of_server(served, bridge, is_input, direction.users_choice)
        return _of_portaudio(listed, is_input)

    def _choose(self, device_id: str, direction: _Direction) -> KnownDevice:
        """Find the device to open; the list is made again where it is not in the one that is known."""
        found = self._match(device_id, direction)
        if found is None and self._portaudio.refresh():
            found = self._match(device_id, direction)
        if found is None:
            none_there = not self._known(direction)
            raise direction.error(Reason.NONE if none_there or not device_id else Reason.NOT_FOUND)
        return found

    def _match(self, device_id: str, direction: _Direction) -> KnownDevice | None:
        devices = self._known(direction)
        if device_id:
            return next((device for device in devices if device.id == device_id), None)
        return next((device for device in devices if device.is_default), devices[0] if devices else None)

    def _is_gone(self, device: KnownDevice, direction: _Direction) -> bool:
        """Whether a device of the server that was opened is there no more."""
        if not device.server_name:
            return False  # its stream ends by itself
        served = self._server.devices()
        if served is None:
            return False  # it does not answer now; where it has ended, the stream has too
        names = served.microphones() if direction is self._input else served.loudspeakers()
        return all(known.name != device.server_name for known in names)

    # --------------------------------------------------------------------------------------- opening

    def open(
        self, device: str, on_samples: Callable[[Samples], None], on_lost: Callable[[AppError], None]
    ) -> OpenMicrophone:
        """Open a microphone, see `ports.Microphones`."""
        with self._portaudio.lock:
            chosen = self._chosen(device, self._input)
            microphones: list[Microphone] = []

            def attempt(rate: int) -> PortAudioStream:
                microphones.append(
                    Microphone(rate, on_samples, on_lost, lambda: self._is_gone(chosen, self._input))
                )
                return self._open_stream(chosen, self._input, rate, microphones[-1].take)

            stream = self._with_rate(chosen, self._input, SPEECH_RATE, attempt)
            try:
                microphones[-1].start(stream)
            except Exception as error:  # PortAudio's class is known only to the library, which comes late
                stream.close()
                raise microphone_error(reason_of(error), error) from error
            return microphones[-1]

    def open_loudspeaker(
        self, device: str, sample_rate: int, callback: Callable[..., None]
    ) -> OpenLoudspeaker:
        """Open a loudspeaker; it does not run yet.

        Args:
            device: id; empty for the system's.
            sample_rate: wanted; `OpenLoudspeaker.sample_rate` is what it got.
            callback: fills a buffer, in the sound system's own thread: `(data, n_frames, time, status)`.

        Raises:
            AppError: `speaker.none`, `speaker.not_found`, `speaker.busy`, `speaker.failed`.
        """
        with self._portaudio.lock:
            chosen = self._chosen(device, self._output)
            stream = self._with_rate(
                chosen,
                self._output,
                sample_rate,
                lambda rate: self._open_stream(chosen, self._output, rate, callback),
            )
            return OpenLoudspeaker(stream, lambda: self._is_gone(chosen, self._output))

    def _chosen(self, device: str, direction: _Direction) -> KnownDevice:
        try:
            return self._choose(device, direction)
        except SoundError:
            raise
        except AppError as error:  # no library, no sound system: whoever opens wants to know about a device
            noun = "microphone" if direction is self._input else "speaker"
            raise SoundError(f"{noun}.none", error.user_message, error.hint, error.context) from error

    def _with_rate(
        self,
        chosen: KnownDevice,
        direction: _Direction,
        wanted: int,
        attempt: Callable[[int], PortAudioStream],
    ) -> PortAudioStream:
        """Open with the wanted rate, and with the device's own where it refuses that."""
        try:
            return attempt(wanted)
        except Exception as error:  # PortAudio's class is known only to the library, which comes late
            if not is_refused_format(error) or chosen.default_rate == wanted:
                raise direction.error(reason_of(error), error) from error
        try:
            return attempt(chosen.default_rate)
        except Exception as error:  # as above
            raise direction.error(reason_of(error), error) from error

    def _open_stream(
        self, chosen: KnownDevice, direction: _Direction, rate: int, callback: Callable[..., None]
    ) -> PortAudioStream:
        name = chosen.server_name or direction.users_choice
        if name:
            os.environ[direction.variable] = name
        else:
            os.environ.pop(direction.variable, None)
        return self._portaudio.open(direction.kind, chosen.index, rate, direction.latency_s, callback)


def _of_server(
    served: ServerDevices, bridge: PortAudioDevice, is_input: bool, users_choice: str | None
) -> list[KnownDevice]:
    devices: Sequence[ServerDevice] = served.microphones() if is_input else served.loudspeakers()
    default = users_choice or (served.default_source if is_input else served.default_sink)
    return [
        KnownDevice(
            id=_SERVER + device.name,
            title=device.title,
            is_default=device.name == default,
            index=bridge.index,
            server_name=device.name,
            default_rate=bridge.default_rate,
        )
        for device in devices
    ]


def _of_portaudio(listed: list[PortAudioDevice], is_input: bool) -> list[KnownDevice]:
    """Give PortAudio's devices with sane names; equal names are numbered."""
    cards = [device for device in listed if device.host_api != "ALSA" or not _is_plugin(device.name)]
    default = next(
        (device for device in listed if (device.is_default_input if is_input else device.is_default_output)),
        None,
    )
    if default is not None and default not in cards:
        cards.insert(0, default)  # ALSA's `default`: what the system is set to use
    known: list[KnownDevice] = []
    seen: dict[str, int] = {}
    for device in cards:
        title = _title(device)
        seen[title] = seen.get(title, 0) + 1
        numbered = title if seen[title] == 1 else f"{title} ({seen[title]})"
        known.append(
            KnownDevice(
                id=f"{device.host_api}:{numbered}",
                title=numbered,
                is_default=device is default,
                index=device.index,
                server_name="",
                default_rate=device.default_rate,
            )
        )
    return known


def _is_plugin(name: str) -> bool:
    return _ALSA_PLUGINS.fullmatch(name) is not None


def _title(device: PortAudioDevice) -> str:
    if device.host_api != "ALSA":
        return device.name.strip()
    if _is_plugin(device.name):
        return "System default"
    card = _ALSA_CARD.fullmatch(device.name)
    return card["title"].strip() if card else device.name.strip()


def _shown(devices: list[KnownDevice]) -> tuple[AudioDevice, ...]:
    return tuple(
        AudioDevice(id=device.id, name=device.title, is_default=device.is_default) for device in devices
    )
