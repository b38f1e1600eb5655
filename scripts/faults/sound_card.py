"""A virtual sound card: a private PulseAudio server with a loudspeaker and a microphone, for tests.

It needs no hardware, no D-Bus and no systemd, and runs as any user (root included). What programs play to the
loudspeaker can be recorded exactly; what is played into the room is what programs hear with the microphone.
Debian's packages: pulseaudio, pulseaudio-utils, libasound2-plugins, libportaudio2.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scripts.wav_files import read_wav

Samples = NDArray[np.int16]

SPEAKER, MICROPHONE = "speaker", "microphone"
SPEAKER_ID, MICROPHONE_ID = f"server:{SPEAKER}", f"server:{MICROPHONE}"
"""As the program names them."""
RATE = 48_000
_ROOM = "room"
_PATIENCE_S = 10.0
_COMMANDS = ("pulseaudio", "pactl", "parec", "pacat", "setpriv")


def is_available() -> bool:
    """Whether the commands that it needs are installed."""
    return all(shutil.which(command) for command in _COMMANDS)


class SoundCard:
    """The server and its devices; use as a context manager.

    Attributes:
        address: of the server, for PULSE_SERVER.
    """

    def __init__(self) -> None:
        """Prepare; `start` begins, or the context manager does, with one device of each kind."""
        # A short path: a socket's name has about 100 characters at most.
        self._folder = Path(tempfile.mkdtemp(prefix="h2ogpt-sound-", dir="/tmp"))
        self.address = f"unix:{self._folder}/socket"
        self._log_path = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._modules: dict[str, list[str]] = {}

    def environment(self) -> dict[str, str]:
        """Variables for a program that is to use this sound card, beside its own."""
        return {"PULSE_SERVER": self.address, "PULSE_COOKIE": str(self._folder / "cookie")}

    def __enter__(self) -> Self:
        """Start the server with a loudspeaker and a microphone."""
        try:
            self.start()
            self.add_loudspeaker(SPEAKER, "Desk speaker")
            self.add_microphone(MICROPHONE, "Desk microphone")
            self.set_default_loudspeaker(SPEAKER)
            self.set_default_microphone(MICROPHONE)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server and remove what it wrote."""
        self._end()

    def _end(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, without devices."""
        environment = dict(os.environ)
        for name in ("PULSE_SERVER", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY"):
            environment.pop(name, None)
        own = {name: str(self._folder) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")}
        socket = f"socket={self._folder}/socket"
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "setpriv",
                    "--pdeathsig=KILL",  # it ends with the tests, even where those are killed
                    "pulseaudio",
                    "-n",
                    "--daemonize=no",
                    "--system=false",
                    "--use-pid-file=no",
                    "--exit-idle-time=-1",
                    "--realtime=no",
                    "--high-priority=no",
                    "--disable-shm=yes",
                    "--log-target=stderr",
                    "-L",
                    f"module-native-protocol-unix {socket} auth-anonymous=1",
                ],
                env=environment | own,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while self._pactl_fails("info"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the sound server did not start:\n{self._log_path.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill the server, as a crash of it would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE_S)
            self._process = None
            self._modules.clear()

    # --------------------------------------------------------------------------------------- devices

    def add_loudspeaker(self, name: str, title: str, rate: int = RATE) -> None:
        """Plug in a loudspeaker."""
        self._modules[name] = [self._load_sink(name, title, rate)]

    def add_microphone(self, name: str, title: str, rate: int = RATE) -> None:
        """Plug in a microphone; `play_into` is heard with it."""
        room = f"{name}.{_ROOM}"
        self._modules[name] = [
            self._load_sink(room, "Room", rate),
            self._load(
                "module-remap-source",
                f"source_name={name}",
                f"master={room}.monitor",
                "channels=1",
                "channel_map=mono",
                "remix=yes",
                f"source_properties=\"device.description='{title}'\"",
            ),
        ]

    def add_echo(self, gain_db: float, delay_ms: int, speaker: str = SPEAKER, name: str = MICROPHONE) -> None:
        """Let a microphone hear a loudspeaker from now on, softer or louder and later."""
        module = self._load(
            "module-loopback",
            f"source={speaker}.monitor",
            f"sink={name}.{_ROOM}",
            f"latency_msec={delay_ms}",
            "adjust_time=0",  # else it changes the rate until the delay is exact, which no room does
            "remix=no",
        )
        self._modules[name].append(module)
        inputs = self._pactl("list", "sink-inputs").split("Sink Input #")
        (number,) = (part.split()[0] for part in inputs if f"Owner Module: {module}\n" in part)
        self._pactl("set-sink-input-volume", number, f"{gain_db:.1f}dB")

    def remove(self, name: str) -> None:
        """Unplug a loudspeaker or microphone."""
        for module in reversed(self._modules.pop(name)):
            self._pactl("unload-module", module)

    def set_default_loudspeaker(self, name: str) -> None:
        """Choose the system's loudspeaker."""
        self._pactl("set-default-sink", name)

    def set_default_microphone(self, name: str) -> None:
        """Choose the system's microphone."""
        self._pactl("set-default-source", name)

    def mute_microphone(self, muted: bool, name: str = MICROPHONE) -> None:
        """Mute a microphone, or let it hear again."""
        self._pactl("set-source-mute", name, "1" if muted else "0")

    def n_recording(self) -> int:
        """How many programs have a microphone open."""
        sources = (line.split("\t") for line in self._pactl("list", "short", "sources").splitlines())
        microphones = {columns[0] for columns in sources if not columns[1].endswith(".monitor")}
        outputs = self._pactl("list", "short", "source-outputs").splitlines()
        return sum(line.split("\t")[1] in microphones for line in outputs)

    def n_playing(self) -> int:
        """How many programs have a loudspeaker open."""
        return len(self._pactl("list", "short", "sink-inputs").splitlines())

    # ----------------------------------------------------------------------------------------- sound

    def play_into(self, samples: Samples, rate: int, microphone: str = MICROPHONE) -> "Playing":
        """Begin to play samples in the room of a microphone; `wait` for its end."""
        return Playing(self, samples, rate, f"{microphone}.{_ROOM}")

    def play_file_into(self, path: Path, microphone: str = MICROPHONE) -> "Playing":
        """Begin to play a WAV file (16 bits, one channel) in the room of a microphone."""
        samples, rate = read_wav(path)
        return self.play_into(np.frombuffer(samples, "<i2"), rate, microphone)

    def record_speaker(self, rate: int = RATE, speaker: str = SPEAKER) -> "SpeakerRecording":
        """Begin to record what a loudspeaker plays; returns when it runs."""
        return SpeakerRecording(self, rate, f"{speaker}.monitor")

    def client(
        self, *arguments: str, stdin: int | None = None, stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one of PulseAudio's commands on this server."""
        return subprocess.Popen(
            arguments,
            env=dict(os.environ) | self.environment(),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        )

    # ---------------------------------------------------------------------------------------- server

    def _load_sink(self, name: str, title: str, rate: int) -> str:
        return self._load(
            "module-null-sink",
            f"sink_name={name}",
            f"rate={rate}",
            "channels=1",
            "channel_map=mono",
            "norewinds=1",  # else it renders 2 seconds ahead, which no card does
            f"sink_properties=\"device.description='{title}'\"",
        )

    def _load(self, module: str, *arguments: str) -> str:
        return self._pactl("load-module", module, *arguments).strip()

    def _pactl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["pactl", *arguments],
            env=dict(os.environ) | self.environment(),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"pactl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _pactl_fails(self, *arguments: str) -> bool:
        try:
            self._pactl(*arguments)
        except RuntimeError:
            return True
        return False


class Playing:
    """Samples that are being played into a room."""

    def __init__(self, card: SoundCard, samples: Samples, rate: int, sink: str) -> None:
        """Begin to play."""
        self._process = card.client(
            "pacat",
            "--playback",
            f"--device={sink}",
            f"--rate={rate}",
            "--channels=1",
            "--format=s16le",
            "--raw",
            "--latency-msec=50",
            stdin=subprocess.PIPE,
        )
        self._data = samples.astype("<i2").tobytes()
        self._thread = threading.Thread(target=self._feed, name="virtual-room")
        self._thread.start()

    def _feed(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(self._data)
            stdin.close()
        except BrokenPipeError:
            return

    def wait(self) -> None:
        """Wait until all of it was heard."""
        self._thread.join()
        self._process.wait()

    def stop(self) -> None:
        """Be quiet now."""
        self._process.kill()
        self.wait()


class SpeakerRecording:
    """A running recording of a loudspeaker; use as a context manager.

    Attributes:
        rate: samples a second.
    """

    def __init__(self, card: SoundCard, rate: int, source: str) -> None:
        """Begin to record; returns when the first samples came."""
        self.rate = rate
        self._process = card.client(
            "parec",
            f"--device={source}",
            f"--rate={rate}",
            "--channels=1",
            "--format=s16le",
            "--raw",
            "--latency-msec=20",
            stdout=subprocess.PIPE,
        )
        self._data = bytearray()
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="virtual-ear")
        self._thread.start()
        self.wait_for(lambda samples: len(samples) > 0)

    def __enter__(self) -> Self:
        """Give it; it runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        while data := os.read(stdout.fileno(), 65_536):
            with self._came:
                self._data += data
                self._came.notify_all()

    def samples(self) -> Samples:
        """What came so far."""
        with self._came:
            return np.frombuffer(bytes(self._data[: len(self._data) // 2 * 2]), "<i2").astype(np.int16)

    def wait_for(self, is_enough: Callable[[Samples], bool], timeout_s: float = _PATIENCE_S) -> Samples:
        """Wait until what came is enough; give it."""
        deadline = time.monotonic() + timeout_s
        while not is_enough(samples := self.samples()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(samples) / self.rate:.2f} s were recorded")
            with self._came:
                self._came.wait(0.1)
        return samples

    def wait_for_sound(self, timeout_s: float = _PATIENCE_S) -> Samples:
        """Wait until something was heard."""
        return self.wait_for(lambda samples: bool(np.any(np.abs(samples) > 200)), timeout_s)

    def stop(self) -> Samples:
        """End it; give all of it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self.samples()
