"""What both Linux packages hold beside the program: desktop entry, icons, AppStream metadata, man page."""

from __future__ import annotations

import datetime
import gzip
import os
import time
from pathlib import Path

from scripts.package import icons
from scripts.package.file_types import mime_types
from scripts.package.text import filled
from scripts.setup.layout import REPOSITORY_DIR

TEMPLATES_DIR = REPOSITORY_DIR / "installer" / "linux"
DESKTOP_FILE = "h2ogpt-desktop.desktop"
METAINFO_FILE = "ai.h2o.h2ogpt_desktop.metainfo.xml"


def release_date() -> str:
    """Return the day of the build, or of SOURCE_DATE_EPOCH, as 2026-01-31."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")


def write_share(share_dir: Path, version: str, program: str) -> None:
    """Write the files that belong below ``share``.

    Args:
        share_dir: ``/usr/share`` of a package.
        version: Of the program.
        program: What the desktop entry starts: a name on the PATH, or ``@EXEC@`` to be filled later.
    """
    values = {
        "VERSION": version,
        "DATE": release_date(),
        "EXEC": program,
        "TRYEXEC": "@TRYEXEC@" if program == "@EXEC@" else program,
        "MIME_TYPES": "".join(f"{name};" for name in mime_types()),
        "MEDIA_TYPES": "\n    ".join(f"<mediatype>{name}</mediatype>" for name in mime_types()),
    }
    for folder, name in (("applications", DESKTOP_FILE), ("metainfo", METAINFO_FILE)):
        path = share_dir / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(TEMPLATES_DIR / name, values), encoding="utf-8")
    icons.write_hicolor(share_dir / "icons" / "hicolor")
    manual = filled(TEMPLATES_DIR / "h2ogpt.1", values)
    man_dir = share_dir / "man" / "man1"
    man_dir.mkdir(parents=True)
    write_gzip(man_dir / "h2ogpt.1.gz", manual)
    (man_dir / "h2ogpt-desktop.1.gz").symlink_to("h2ogpt.1.gz")


def write_gzip(path: Path, text: str) -> None:
    """Write a text compressed, without name and time in it."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write(text.encode())
