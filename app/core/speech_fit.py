"""Whether a speech model or a voice fits into memory, and how fast it should be.

One rule for models before their download and for those that are here: memory from the file's size, speed
from what the starter models were measured to need, in proportion to their weights and to this machine's
calibration (`app.core.fit` has the same for models that answer). Nothing is read or measured here.

Source: docs/decisions/0101-speech-fit.md says how the constants were measured.
"""

from app.core.fit import Room
from app.protocol.engine import Calibration
from app.protocol.models import Fit

_MIB = 1024**2
_GIB = 1024**3
# Speech models come with weights of 16 bits and are kept with 8; while one is loaded, both are there.
_FILE_BITS_BYTES = 2
_PEAK_BYTES_PER_WEIGHT = 3
# Python, the engine and what it computes for 30 seconds of sound.
_SPEECH_RUNTIME_BYTES = 160 * _MIB
# For each weight and second of sound: 0.075 of real time with the 39 million weights of Whisper tiny where
# 40 thousand million weights a second are multiplied.
_MULTIPLICATIONS_PER_WEIGHT = 77.0
# A voice's weights stay as they are in the file; a sentence of ten seconds takes as much again and more.
_VOICE_RUNTIME_BYTES = 190 * _MIB
# For each byte of a voice's file and second of sound: 0.109 of real time with 63.2 million bytes.
_MULTIPLICATIONS_PER_VOICE_BYTE = 69.0
# Below this much free memory beside the model, other programs start to be pushed out (as app.core.fit).
_TIGHT_BYTES = 512 * _MIB
_TIGHT_SHARE = 0.1


def advise_speech(file_bytes: int, room: Room, calibration: Calibration | None) -> Fit:
    """Say whether a speech model fits and how long it takes for an hour of sound.

    Args:
        file_bytes: of its weights (`model.bin`, 16 bits each).
        room: memory that is free now. Only the main memory counts: speech is understood on the processor
            unless a graphics card of NVIDIA serves it.
        calibration: of this machine; None where it was not measured yet.
    """
    n_weights = file_bytes // _FILE_BITS_BYTES
    needed = n_weights * _PEAK_BYTES_PER_WEIGHT + _SPEECH_RUNTIME_BYTES
    share = _share_of_real_time(n_weights * _MULTIPLICATIONS_PER_WEIGHT, calibration)
    pace = "" if share is None else f"transcribes an hour in {_duration(share * 3600)}"
    return _advice(n_weights, needed, room, pace, is_slow=share is not None and share > 1)


def advise_voice(file_bytes: int, room: Room, calibration: Calibration | None) -> Fit:
    """Say whether a voice fits and whether it speaks faster than one listens.

    Args:
        file_bytes: of its `.onnx` file.
        room: memory that is free now; voices use the main memory alone.
        calibration: of this machine; None where it was not measured yet.
    """
    needed = file_bytes + _VOICE_RUNTIME_BYTES
    share = _share_of_real_time(file_bytes * _MULTIPLICATIONS_PER_VOICE_BYTE, calibration)
    pace = ""
    if share is not None:
        pace = "reads aloud with pauses between sentences" if share > 1 else "reads aloud without waiting"
    return _advice(file_bytes, needed, room, pace, is_slow=share is not None and share > 1)


def _share_of_real_time(multiplications: float, calibration: Calibration | None) -> float | None:
    """Give seconds of computing for a second of sound; None where the machine's speed is not known."""
    if calibration is None or calibration.cpu_flops <= 0:
        return None
    return multiplications / calibration.cpu_flops


def _advice(weight_bytes: int, needed: int, room: Room, pace: str, *, is_slow: bool) -> Fit:
    left = room.available_bytes - needed
    free = f"{_gib(room.available_bytes)} free"
    if left < 0:
        verdict, words = "too_large", f"will not fit: needs {_gib(needed)}, {free}"
    elif left < max(_TIGHT_BYTES, _TIGHT_SHARE * room.available_bytes):
        verdict = "tight"
        words = f"fits barely: {_gib(left)} would stay free" + (f", {pace}" if pace else "")
    elif not pace:
        verdict, words = "good", f"fits: needs {_gib(needed)}, {free}"
    else:
        verdict, words = ("slow", f"slow: {pace}") if is_slow else ("good", f"runs well: {pace}")
    return Fit(
        verdict=verdict,
        words=words,
        placement="cpu" if left >= 0 else "",
        weight_bytes=weight_bytes,
        compute_bytes=needed - weight_bytes,
        needed_bytes=needed,
        available_bytes=room.available_bytes,
        gpu_available_bytes=room.gpu_available_bytes,
    )


def _duration(seconds: float) -> str:
    """Spell a time as exactly as an estimate deserves: `about 10 minutes`, `about 2 hours`."""
    minutes = round(seconds / 60)
    if minutes <= 1:
        return "about a minute"
    if minutes < 90:
        return f"about {minutes if minutes < 10 else round(minutes / 5) * 5} minutes"
    return f"about {max(2, round(minutes / 60))} hours"


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / _GIB:.1f} GB"
