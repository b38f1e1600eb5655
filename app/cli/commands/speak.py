"""`h2ogpt speak`: a text spoken into a WAV file."""

import argparse
import asyncio
import contextlib
import os
import stat
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from app.cli import arguments
from app.cli.lines import texts
from app.cli.output import print_json, print_words
from app.cli.progress_line import ProgressLine
from app.client import HostClient
from app.core.errors import StorageError, UsageError
from app.protocol.audio import SAMPLE_BYTES
from app.protocol.voice import SpeakText, SpokenText

_ENDING = ".wav"
_PART_S = 60.0


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("text", metavar="TEXT|-", help="the text (Markdown); `-` reads standard input")
    parser.add_argument("--out", metavar="FILE.wav", required=True, help="the file to write (16-bit WAV)")
    parser.add_argument("--voice", metavar="NAME", default="", help="voice (default: the setting's)")
    parser.add_argument(
        "--speed",
        type=arguments.real_number(0.5, 2.0),
        metavar="S",
        help="0.5 to 2; 1 is the voice's own (default: the setting's)",
    )
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Speak the text and write the file, whole or not at all.

    A long text is spoken in parts, so that neither process ever holds more than a few minutes of it.

    Raises:
        AppError: the host's reasons, `speak.not_wav`, `file.not_written`.
    """
    text = "\n".join([line async for line in texts(options.text)])
    path = _place(options.out)
    request = SpeakText(text=text, voice=options.voice, speed=options.speed, seconds=_PART_S)
    line = ProgressLine()
    with NewSound(path) as sound:
        try:
            while True:
                spoken, samples = await client.call_with_payload(request)
                await asyncio.to_thread(sound.add, spoken, samples)
                if spoken.next_sentence >= spoken.n_sentences:
                    break
                line.show(f"{path.name}: {spoken.next_sentence / spoken.n_sentences:.0%}")
                request = replace(request, voice=spoken.voice, first_sentence=spoken.next_sentence)
        finally:
            line.clear()
        await asyncio.to_thread(sound.finish)
    _print(options, path, sound.n_samples / spoken.sample_rate, spoken)
    return arguments.DONE


def _print(options: argparse.Namespace, path: Path, seconds: float, spoken: SpokenText) -> None:
    if options.json:
        print_json(
            {
                "path": str(path),
                "seconds": round(seconds, 3),
                "sample_rate": spoken.sample_rate,
                "voice": spoken.voice,
            }
        )
    else:
        print_words(f"{path.name}: {seconds:.1f} s, spoken by {spoken.voice}")


def _place(text: str) -> Path:
    """Give where the file goes; a place where none can be written is refused before the work begins.

    A device or a pipe is not replaced by a file, and behind a link the file that it names is.

    Raises:
        UsageError: `speak.not_wav`.
        StorageError: `file.not_written`.
    """
    path = Path(os.path.realpath(arguments.absolute_path(text)))
    if path.is_dir():
        raise StorageError("file.not_written", f"{path} is a folder.", "Name a file in it.")
    if not text.casefold().endswith(_ENDING):
        raise UsageError(
            "speak.not_wav", "The sound is written as a WAV file.", "Name a file that ends with .wav."
        )
    if not path.parent.is_dir():
        raise StorageError(
            "file.not_written", f"There is no folder {path.parent}.", "Make it, or name another place."
        )
    if path.exists() and not path.is_file():
        raise StorageError("file.not_written", f"{path} is no ordinary file.", "Name another place.")
    return path


class NewSound:
    """A WAV file that appears at its place once it is finished; use as a context manager.

    Attributes:
        n_samples: written so far.
    """

    def __init__(self, path: Path) -> None:
        """Begin beside its place, under a temporary name. Raises StorageError `file.not_written`."""
        self._path = path
        self.n_samples = 0
        with self._told():
            descriptor, temporary = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        self._temporary: Path | None = Path(temporary)
        self._file = os.fdopen(descriptor, "wb")
        self._sound: wave.Wave_write = wave.open(self._file, "wb")  # noqa: SIM115  # closed by `finish`

    def __enter__(self) -> Self:
        """Give it; it is begun already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind of a file that was not finished."""
        if self._temporary is not None:
            with contextlib.suppress(OSError, wave.Error):
                self._sound.close()
            with contextlib.suppress(OSError):
                self._file.close()
            self._temporary.unlink(missing_ok=True)

    def add(self, spoken: SpokenText, samples: bytes) -> None:
        """Write samples behind those before. Raises StorageError `file.not_written`."""
        with self._told():
            if not self.n_samples:
                self._sound.setnchannels(1)
                self._sound.setsampwidth(SAMPLE_BYTES)
                self._sound.setframerate(spoken.sample_rate)
            self._sound.writeframes(samples)
        self.n_samples += spoken.n_samples

    def finish(self) -> None:
        """Put the whole file at its place. Raises StorageError `file.not_written`."""
        assert self._temporary is not None  # it is finished once
        with self._told():
            self._sound.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.chmod(_mode(self._path))
            self._temporary.replace(self._path)
        self._temporary = None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                "file.not_written",
                f"{self._path.name} could not be written ({error.strerror}).",
                "Check the free space and that you may write there.",
            ) from error


def _mode(path: Path) -> int:
    """Give the access rights of the file there, or those that the user's new files get."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0o077)  # it can only be read by changing it
    os.umask(mask)
    return 0o666 & ~mask
