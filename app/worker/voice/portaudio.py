"""PortAudio, late and under one lock; the only place that imports `sounddevice`."""

import importlib
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.errors import AppError
from app.core.frozen import is_frozen

log = logging.getLogger(__name__)

PREFERRED_APIS = ("PulseAudio", "Core Audio", "Windows WASAPI", "ALSA", "Windows DirectSound", "MME")
"""PortAudio lists a device once for each interface of the system; one of them is enough."""

_LIBRARY_HINTS = {
    "linux": "Install the library libportaudio2 (Debian, Ubuntu: sudo apt install libportaudio2; Fedora: "
    "sudo dnf install portaudio) and start the program again.",
}
_OTHER_LIBRARY_HINT = "Install the program again: its part for sound is missing."
_INSTALLED_HINTS = {
    "linux": "Install ALSA (Debian, Ubuntu: sudo apt install libasound2) and start the program again.",
}


@dataclass(frozen=True)
class PortAudioDevice:
    """A device as PortAudio lists it.

    Attributes:
        index: valid until the list is made again.
        host_api: interface of the system that it was found through.
        n_inputs: channels that it can record.
        n_outputs: channels that it can play.
        default_rate: samples a second that it takes in any case.
    """

    index: int
    name: str
    host_api: str
    n_inputs: int
    n_outputs: int
    default_rate: int
    is_default_input: bool = False
    is_default_output: bool = False


class PortAudioStream:
    """An open stream; every method from one thread at a time, except `is_active`."""

    def __init__(self, stream: Any, owner: "PortAudio", sample_rate: int) -> None:
        """Take a stream of `sounddevice`."""
        self._stream = stream
        self._owner = owner
        self.sample_rate = sample_rate

    @property
    def is_active(self) -> bool:
        """Whether the system still asks for samples or gives some; False once the device has gone."""
        try:
            return bool(self._stream.active)
        except Exception:  # a stream that fails in any way is one that has ended
            return False

    def start(self) -> None:
        """Begin, or begin again after `abort`. Raises what PortAudio raises."""
        self._stream.start()

    def abort(self) -> None:
        """End at once: what was written and is not heard yet never will be."""
        self._stream.abort(ignore_errors=True)

    def close(self) -> None:
        """Close the device; afterwards no callback runs."""
        self._owner.close_stream(self._stream)


class PortAudio:
    """The library; loaded when first needed. Any thread.

    Attributes:
        lock: held while the list is made, or a stream is opened or closed: PortAudio is not made for threads.
    """

    def __init__(self, load: Callable[[], Any] | None = None) -> None:
        """Load nothing yet; `load` stands in for the import in tests."""
        self._load = load or (lambda: importlib.import_module("sounddevice"))
        self._module: Any = None
        self._n_open = 0
        self.lock = threading.RLock()

    def module(self) -> Any:
        """Give `sounddevice`, loading it first.

        Raises:
            AppError: `sound.no_library`, `sound.no_system`.
        """
        with self.lock:
            if self._module is None:
                try:
                    self._module = self._load()
                except (ImportError, OSError) as error:
                    raise AppError(
                        "sound.no_library",
                        "The part of the system that plays and records sound (PortAudio) is missing.",
                        _library_hint(),
                        {"cause": str(error)[:300]},
                    ) from error
                except Exception as error:  # the library raises its own class, which it could not give us yet
                    raise AppError(
                        "sound.no_system",
                        "The sound system of this computer does not start.",
                        "Start the computer again; if that does not help, look at its sound settings.",
                        {"cause": str(error)[:300]},
                    ) from error
            return self._module

    def refresh(self) -> bool:
        """Make the list of devices again; False where streams are open and it stays as it was.

        Raises:
            AppError: as `module`; `sound.no_system`.
        """
        with self.lock:
            was_loaded = self._module is not None
            module = self.module()
            if self._n_open:
                return False
            if was_loaded:
                try:
                    module._terminate()
                    module._initialize()
                except module.PortAudioError as error:
                    self._module = None
                    raise AppError(
                        "sound.no_system",
                        "The sound system of this computer does not answer.",
                        "Start the computer again; if that does not help, look at its sound settings.",
                        {"cause": str(error.args)[:300]},
                    ) from error
            return True

    def devices(self) -> list[PortAudioDevice]:
        """Give all devices of the preferred interface that has any; empty where there are none."""
        with self.lock:
            module = self.module()
            apis = module.query_hostapis()
            chosen = min(
                (api for api in apis if api["devices"]), key=lambda api: _rank(api["name"]), default=None
            )
            if chosen is None:
                return []
            return [
                PortAudioDevice(
                    index=index,
                    name=facts["name"],
                    host_api=chosen["name"],
                    n_inputs=facts["max_input_channels"],
                    n_outputs=facts["max_output_channels"],
                    default_rate=round(facts["default_samplerate"]),
                    is_default_input=index == chosen["default_input_device"],
                    is_default_output=index == chosen["default_output_device"],
                )
                for index in chosen["devices"]
                for facts in (module.query_devices(index),)
            ]

    def open(
        self, kind: str, index: int, sample_rate: int, latency_s: float, callback: Callable[..., None]
    ) -> PortAudioStream:
        """Open one channel of 16-bit samples; it does not run yet.

        Args:
            kind: `RawInputStream` or `RawOutputStream`.
            index: of the device.
            sample_rate: samples a second.
            latency_s: that the system should aim at.
            callback: see `sounddevice`; its buffers are raw bytes.

        Raises:
            Exception: what PortAudio raises; `sound_errors.reason_of` classifies it.
        """
        with self.lock:
            stream = getattr(self.module(), kind)(
                samplerate=sample_rate,
                blocksize=sample_rate // 50,
                device=index,
                channels=1,
                dtype="int16",
                latency=latency_s,
                callback=callback,
            )
            self._n_open += 1
            return PortAudioStream(stream, self, sample_rate)

    def close_stream(self, stream: Any) -> None:
        """Close a stream of `sounddevice` that `open` gave."""
        with self.lock:
            self._n_open -= 1
            stream.close(ignore_errors=True)


def _library_hint() -> str:
    """Say what brings the library back; an installed program has it, and lacks what it needs."""
    hints = _INSTALLED_HINTS if is_frozen() else _LIBRARY_HINTS
    return hints.get(sys.platform, _OTHER_LIBRARY_HINT)


def _rank(name: str) -> int:
    return PREFERRED_APIS.index(name) if name in PREFERRED_APIS else len(PREFERRED_APIS)
