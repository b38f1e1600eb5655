"""Lets a script begin where a user is after the guide of the first start."""

import json
import os
from pathlib import Path


def skip_guide(data_dir: Path) -> None:
    """Note in a new data folder that the guide was seen; a folder with settings is left as it is.

    Call it before anything runs on that folder.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "settings.json"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"guide_seen": True}, file)
