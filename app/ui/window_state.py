"""What the window remembers between starts: places and sizes, the open conversation, the theme."""

import json
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from app.core.paths import DataPaths

log = logging.getLogger(__name__)
_FILE_NAME = "window.json"


@dataclass(frozen=True)
class WindowState:
    """The remembered state; every field has a safe default.

    Attributes:
        geometry: QWidget.saveGeometry in base64.
        left_width: width of the conversations in pixels; of the right area accordingly.
        conversation_id: the last open one; empty for a new one.
        theme: `system`, `light` or `dark`.
    """

    geometry: str = ""
    left_width: int = 240
    right_width: int = 380
    left_visible: bool = True
    right_visible: bool = True
    conversation_id: str = ""
    theme: str = "system"


def load_state(paths: DataPaths) -> WindowState:
    """Read the state; a missing or damaged file gives the defaults."""
    try:
        values = json.loads(_path(paths).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if not isinstance(error, FileNotFoundError):
            log.info("%s cannot be read: %s", _FILE_NAME, type(error).__name__)
        return WindowState()
    if not isinstance(values, dict):
        return WindowState()
    kinds = {field.name: type(field.default) for field in fields(WindowState)}
    known: dict[str, Any] = {name: value for name, value in values.items() if type(value) is kinds.get(name)}
    return replace(WindowState(), **known)


def save_state(paths: DataPaths, state: WindowState) -> None:
    """Write the state beside the old one and replace it; nothing where there is no data folder.

    What cannot be written is logged: the window works without.
    """
    path = _path(paths)
    if not path.parent.is_dir():
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".window-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        log.info("%s cannot be written: %s", _FILE_NAME, error.strerror)
        with suppress(OSError, NameError):
            Path(name).unlink(missing_ok=True)


def _path(paths: DataPaths) -> Path:
    return paths.root / _FILE_NAME
