"""What the sound system reports, in words: PortAudio's errors and those of the systems under it.

SoundError              a microphone or loudspeaker cannot be used: none, not_found, denied, busy, …
"""

import sys
from enum import StrEnum
from typing import Any

from app.core.errors import AppError


class SoundError(AppError):
    """A microphone (`microphone.…`) or loudspeaker (`speaker.…`) cannot be used."""


class Reason(StrEnum):
    """Why; the second half of the error's code."""

    NONE = "none"
    NOT_FOUND = "not_found"
    DENIED = "denied"
    BUSY = "busy"
    LOST = "lost"
    FAILED = "failed"


# Source: portaudio.h, PaErrorCode.
INVALID_CHANNEL_COUNT = -9998
INVALID_SAMPLE_RATE = -9997
_OF_PORTAUDIO = {
    -9996: Reason.NOT_FOUND,  # paInvalidDevice
    -9985: Reason.BUSY,  # paDeviceUnavailable
}
_OF_SYSTEMS = {
    # Source: errno of Linux, negative as ALSA gives them.
    -1: Reason.DENIED,
    -2: Reason.NOT_FOUND,
    -6: Reason.NOT_FOUND,
    -13: Reason.DENIED,
    -16: Reason.BUSY,
    -19: Reason.NOT_FOUND,
    -111: Reason.NONE,  # no sound server answers
    # Source: audioclient.h and winerror.h of Windows, as signed 32-bit numbers.
    0x8889000A - (1 << 32): Reason.BUSY,  # AUDCLNT_E_DEVICE_IN_USE
    0x88890004 - (1 << 32): Reason.NOT_FOUND,  # AUDCLNT_E_DEVICE_INVALIDATED
    0x88890017 - (1 << 32): Reason.FAILED,  # AUDCLNT_E_CPUUSAGE_EXCEEDED
    0x80070005 - (1 << 32): Reason.DENIED,  # E_ACCESSDENIED
    0x80070490 - (1 << 32): Reason.NOT_FOUND,  # ERROR_NOT_FOUND
    # Source: mmeapi.h of Windows.
    2: Reason.NOT_FOUND,  # MMSYSERR_BADDEVICEID
    4: Reason.BUSY,  # MMSYSERR_ALLOCATED
    6: Reason.NONE,  # MMSYSERR_NODRIVER
    # Source: CoreAudio/AudioHardwareBase.h of macOS: four characters as a number.
    int.from_bytes(b"!hog", "big"): Reason.BUSY,
    int.from_bytes(b"!dev", "big"): Reason.NOT_FOUND,
    int.from_bytes(b"nope", "big"): Reason.DENIED,
}
_OF_WORDS = (
    ("permission denied", Reason.DENIED),
    ("access denied", Reason.DENIED),
    ("not permitted", Reason.DENIED),
    ("access is denied", Reason.DENIED),
    ("resource busy", Reason.BUSY),
    ("device unavailable", Reason.BUSY),
    ("in use", Reason.BUSY),
    ("no such device", Reason.NOT_FOUND),
    ("no such entity", Reason.NOT_FOUND),
    ("no such file", Reason.NOT_FOUND),
    ("connection refused", Reason.NONE),
)


def reason_of(error: Exception) -> Reason:
    """Classify an error of PortAudio by its codes, and by its words where they say nothing.

    PortAudio's errors hold `(text, code, (host API, the system's code, the system's text))`; the system's
    part is missing where it had none. The system's code says more than PortAudio's.
    """
    arguments = error.args
    system = arguments[2] if len(arguments) > 2 else None
    if isinstance(system, tuple) and len(system) == 3 and (reason := _OF_SYSTEMS.get(system[1])):
        return reason
    code: Any = arguments[1] if len(arguments) > 1 else None
    if reason := _OF_PORTAUDIO.get(code):
        return reason
    words = " ".join(str(part) for part in arguments).lower()
    return next((reason for part, reason in _OF_WORDS if part in words), Reason.FAILED)


def is_refused_format(error: Exception) -> bool:
    """Whether the device is there, but does not take this rate or number of channels."""
    code = error.args[1] if len(error.args) > 1 else None
    if code in (INVALID_SAMPLE_RATE, INVALID_CHANNEL_COUNT):
        return True
    system = error.args[2] if len(error.args) > 2 else None
    # Source: audioclient.h, AUDCLNT_E_UNSUPPORTED_FORMAT; EINVAL of ALSA.
    return isinstance(system, tuple) and system[1:2] in ((0x88890008 - (1 << 32),), (-22,))


_MICROPHONE = {
    Reason.NONE: ("No microphone was found.", "Plug one in, or switch it on, and try again."),
    Reason.NOT_FOUND: (
        "The chosen microphone is not there any more.",
        "Plug it in, or choose another one in the voice settings.",
    ),
    Reason.BUSY: (
        "Another program is using the microphone.",
        "End the call or recording in the other program and try again.",
    ),
    Reason.LOST: (
        "The microphone went away while it was open.",
        "Plug it in again, or choose another one in the voice settings.",
    ),
    Reason.FAILED: (
        "The microphone could not be opened.",
        "Try again, or choose another one in the voice settings.",
    ),
}
_SPEAKER = {
    Reason.NONE: ("No loudspeaker was found.", "Plug in a loudspeaker or headphones and try again."),
    Reason.NOT_FOUND: (
        "The chosen loudspeaker is not there any more.",
        "Plug it in, or choose another one in the voice settings.",
    ),
    Reason.BUSY: (
        "Another program keeps the loudspeaker for itself.",
        "End the sound in the other program and try again.",
    ),
    Reason.LOST: (
        "The loudspeaker went away while something was being read.",
        "Plug it in again, or choose another one in the voice settings, and start again.",
    ),
    Reason.FAILED: (
        "The loudspeaker could not be used.",
        "Try again, or choose another one in the voice settings.",
    ),
}
_DENIED_HINTS = {
    "darwin": "Allow it in System Settings, Privacy & Security, Microphone, and start the program again.",
    "win32": "Allow it in Settings, Privacy & security, Microphone (“Let desktop apps access your "
    "microphone”), and try again.",
}


def microphone_error(reason: Reason, cause: Exception | None = None) -> SoundError:
    """Say in words why a microphone cannot be used."""
    if reason is Reason.DENIED:
        message = "The system does not let this program use the microphone."
        hint = _DENIED_HINTS.get(
            sys.platform, "Allow it in the system's privacy settings, or add yourself to the group “audio”."
        )
    else:
        message, hint = _MICROPHONE[reason]
    return SoundError(f"microphone.{reason}", message, hint, _facts(cause))


def speaker_error(reason: Reason, cause: Exception | None = None) -> SoundError:
    """Say in words why a loudspeaker cannot be used; one that is denied has failed."""
    reason = Reason.FAILED if reason is Reason.DENIED else reason
    return SoundError(f"speaker.{reason}", *_SPEAKER[reason], _facts(cause))


def _facts(cause: Exception | None) -> dict[str, str]:
    return {} if cause is None else {"cause": str(cause.args)[:300]}
