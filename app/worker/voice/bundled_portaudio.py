"""Which PortAudio an installed program on Linux uses: the system's where there is one, else its own.

sounddevice looks for the library by name, as a compiler would. On Windows and macOS its package brings one;
on Linux the system's fits its sound servers best, and many systems have none. So the program carries a copy
(`scripts/package/staging.py`), in a folder of its own that nothing else is loaded from.

Source: `sounddevice.py` 0.5.6 (`find_library("portaudio")`).
"""

import ctypes
import ctypes.util
import sys
from pathlib import Path

from app.core.frozen import is_frozen

FOLDER = "sound"
LIBRARIES = ("libdb-5.3.so", "libjack.so.0", "libportaudio.so.2")
"""In the order in which each needs the ones before it."""


def offer_own_portaudio() -> None:
    """Let sounddevice find the program's own PortAudio; before its first import, in the voice worker."""
    if not (is_frozen() and sys.platform == "linux"):
        return
    folder = Path(str(getattr(sys, "_MEIPASS", ""))) / FOLDER
    system_search = ctypes.util.find_library

    def find(name: str) -> str | None:
        found = system_search(name)
        return found if found is not None or name != "portaudio" else _own(folder)

    ctypes.util.find_library = find


def _own(folder: Path) -> str | None:
    """Load what PortAudio needs from beside it, and give its path; None where it cannot be used here."""
    *needed, portaudio = (folder / name for name in LIBRARIES)
    try:
        for path in needed:
            if path.exists():  # the names differ from one system to build on to another
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(portaudio))
    except OSError:  # without ALSA, for one: then there is no sound here, and devices say so
        return None
    return str(portaudio)
