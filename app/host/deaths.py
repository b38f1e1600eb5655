"""Why a worker ended, in words for the user."""

import signal
from dataclasses import dataclass

from app.core.errors import WorkerError

NAMES = {
    "inference": "The process that writes answers",
    "library": "The process that reads your documents",
    "render": "The process that draws pages",
    "decoder": "The process that reads audio and video",
    "voice": "The process that listens and speaks",
    "probe": "The process that looks for graphics processors",
}
_SMALLER = "Close other programs or choose a smaller model, then try again."
_HINTS = {
    "inference": "Try again; if it happens again, choose another model.",
    "library": "What was stored is safe; reading goes on by itself.",
    "render": "Try again; the text of the document can be read in any case.",
    "decoder": "The file may be damaged: open it in its own program and save it anew.",
    "voice": "Try again; if it happens again, choose a smaller speech model.",
}
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS"})
# Source: ntstatus.h; Windows gives these as exit codes.
_WINDOWS_CRASHES = {
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    0xC00000FD: "stack overflow",
    0xC0000374: "heap corruption",
    0xC0000409: "stack buffer overrun",
    0xC0000017: "no memory",
}


@dataclass(frozen=True)
class Death:
    """The end of a worker that nobody asked for.

    Attributes:
        cause: what happened, as a clause: `crashed (SIGSEGV)`.
        signal: name of the signal; empty where there was none.
        memory: memory shortage is the likely cause.
    """

    cause: str
    signal: str = ""
    memory: bool = False

    def to_error(self, kind: str, activity: str = "") -> WorkerError:
        """Give the error for a request that was open.

        Args:
            kind: of the worker.
            activity: what it was doing for that request: `while loading the model X`.
        """
        return WorkerError(
            "worker.died",
            " ".join(part for part in (name_of(kind), self.cause, activity) if part) + ".",
            _SMALLER if self.memory and kind == "inference" else _HINTS.get(kind, "Try again."),
            {"kind": kind, "signal": self.signal},
        )


def name_of(kind: str) -> str:
    """Give the worker's name as the subject of a sentence."""
    return NAMES.get(kind, f"The {kind} process")


def from_exit(code: int | None) -> Death:
    """Read a process's exit code; negative is the number of a signal, None an end that was not seen."""
    if code is None or code == 0:
        return Death("ended unexpectedly")
    if code in _WINDOWS_CRASHES:
        return Death(f"crashed ({_WINDOWS_CRASHES[code]})", memory=code == 0xC0000017)
    if code > 0:
        return Death(f"ended with an error (exit code {code})")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return Death(
            "was ended by the system, most likely because memory ran out (SIGKILL)", name, memory=True
        )
    if name in _CRASHES:
        return Death(f"crashed ({name})", name)
    return Death(f"was ended from outside ({name})", name)


def hung(limit_s: float) -> Death:
    """Say that the worker's control path did not answer."""
    return Death(f"did not answer for {limit_s:g} seconds and was ended")


def silent_start(limit_s: float) -> Death:
    """Say that the worker did not greet in time."""
    return Death(f"did not start within {limit_s:g} seconds")


def nonsense(reason: str) -> Death:
    """Say that the worker broke the protocol."""
    return Death(f"sent something that makes no sense ({reason}) and was ended")


def not_started(reason: str) -> Death:
    """Say that the system did not start the process."""
    return Death(f"could not be started ({reason})")
