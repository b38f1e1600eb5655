"""What differs where the program is frozen (installed) instead of run from source."""

import os
import sys

_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_BOOTLOADER_PREFIX = "_PYI_"
# These would change what the program loads or how it runs; nobody who starts an installed program means that.
_FOREIGN = ("GGML_BACKEND_PATH", "LLAMA_CPP_LIB_PATH", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH")


def is_frozen() -> bool:
    """Whether this is the installed program."""
    return bool(getattr(sys, "frozen", False))


def code_places() -> tuple[str, ...]:
    """Give where a frozen program's code is: its folder of libraries, and itself, which holds its modules.

    Empty from source. A process that gives up the right to read files keeps it for these, because some
    modules are imported late.
    """
    return (str(getattr(sys, "_MEIPASS", "")), sys.executable) if is_frozen() else ()


def repair_hint() -> str:
    """Tell the user how to bring back what belongs to the program."""
    return "Install the program again." if is_frozen() else "Run `python3 scripts/run.py` once."


def clean_environment() -> None:
    """Undo what the bootloader did to this process's variables; the first thing a frozen program does.

    The loader has read them already. Left in place, they would reach every program that this one starts: a
    browser or a file manager would load the libraries of this program instead of the system's.

    Source: PyInstaller's manual, "Launching external programs from the frozen application".
    """
    for name in _LIBRARY_PATHS:
        before = os.environ.pop(f"{name}_ORIG", None)
        if before is not None:
            os.environ[name] = before
        elif name in os.environ:
            del os.environ[name]
    for name in [key for key in os.environ if key.startswith(_BOOTLOADER_PREFIX) or key in _FOREIGN]:
        del os.environ[name]
