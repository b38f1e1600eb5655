"""Keep a recording as a WAV file, where the user wants that."""

import contextlib
import os
import time
import wave
from pathlib import Path

import numpy as np

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.ports import Samples

_UNFINISHED = ".part"


def keep_recording(folder: Path, samples: Samples) -> Path:
    """Write samples as a file that only the user may read; it has its name once it is whole.

    Raises:
        OSError: it cannot be written; nothing is left then.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for leftover in folder.glob(f".*{_UNFINISHED}"):  # of a worker that was killed while it wrote
        leftover.unlink(missing_ok=True)
    path = _free_name(folder)
    part = folder / f".{path.name}{_UNFINISHED}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with wave.open(file, "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(SPEECH_RATE)
                sound.writeframes(np.asarray(samples, "<i2").tobytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return path


def _free_name(folder: Path) -> Path:
    """Give a name that says when, and is not taken."""
    stem = time.strftime("recording-%Y-%m-%d-%H%M%S")
    path, number = folder / f"{stem}.wav", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.wav", number + 1
    return path
