"""`h2ogpt speak`: a text spoken into a WAV file."""

import argparse
import asyncio
import os
import tempfile
import wave
from pathlib import Path

from app.cli import arguments
from app.cli.lines import texts
from app.cli.output import print_json, print_words
from app.client import HostClient
from app.core.errors import StorageError
from app.protocol.audio import SAMPLE_BYTES
from app.protocol.voice import SpeakText, SpokenText


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

    Raises:
        AppError: the host's reasons, `file.not_written`.
    """
    text = "\n".join([line async for line in texts(options.text)])
    request = SpeakText(text=text, voice=options.voice, speed=options.speed)
    path = Path(arguments.absolute_path(options.out))
    _check_folder(path)
    spoken, samples = await client.call_with_payload(request)
    await asyncio.to_thread(_write, path, spoken, samples)
    seconds = spoken.n_samples / spoken.sample_rate
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
    return arguments.DONE


def _check_folder(path: Path) -> None:
    """Refuse a place where nothing can be written before the work begins. Raises StorageError."""
    if not path.parent.is_dir():
        raise StorageError(
            "file.not_written", f"There is no folder {path.parent}.", "Make it, or name another place."
        )


def _write(path: Path, spoken: SpokenText, samples: bytes) -> None:
    """Write a WAV file under a temporary name and rename it. Raises StorageError `file.not_written`."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        with os.fdopen(descriptor, "wb") as file:
            with wave.open(file, "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(SAMPLE_BYTES)
                sound.setframerate(spoken.sample_rate)
                sound.writeframes(samples)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(
            "file.not_written",
            f"{path.name} could not be written ({error.strerror}).",
            "Check the free space and that you may write there.",
        ) from error
