"""WAV files of one channel and 16 bits, for benches, drills and the driven window."""

import wave
from pathlib import Path


def write_wav(path: Path, samples: bytes, rate: int) -> None:
    """Write samples (signed 16-bit, little-endian, one channel), `rate` of them a second."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples)


def read_wav(path: Path) -> tuple[bytes, int]:
    """Give samples, as `write_wav` takes them, and how many a second holds.

    Raises:
        ValueError: the file has more channels, or other samples.
    """
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(f"{path.name} is not one channel of 16 bits")
        return file.readframes(file.getnframes()), file.getframerate()
