"""Where things are: the data folder's layout, resources and the runtime directory."""

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP_NAME = "h2ogpt-desktop"
DATA_DIR_VARIABLE = "H2OGPT_DATA_DIR"
_MAX_SOCKET_PATH_BYTES = 100  # sun_path holds 104 (macOS) or 108 (Linux) bytes with its end


@dataclass(frozen=True)
class DataPaths:
    """The data folder and what stands in it.

    Attributes:
        root: the folder itself, absolute.
    """

    root: Path

    @property
    def library_db_path(self) -> Path:
        """Library: the record of truth."""
        return self.root / "library.db"

    @property
    def chats_db_path(self) -> Path:
        """Conversations."""
        return self.root / "chats.db"

    @property
    def index_dir(self) -> Path:
        """Chroma: a cache."""
        return self.root / "index"

    @property
    def files_dir(self) -> Path:
        """Pasted and uploaded content by sha256."""
        return self.root / "files"

    @property
    def images_dir(self) -> Path:
        """Images attached to questions, by sha256."""
        return self.root / "images"

    @property
    def recordings_dir(self) -> Path:
        """What the microphone heard, where the user wants it kept."""
        return self.root / "recordings"

    @property
    def models_dir(self) -> Path:
        """Downloaded models."""
        return self.root / "models"

    @property
    def model_places_path(self) -> Path:
        """Imported model files, and those taken out of the list."""
        return self.root / "model_places.json"

    @property
    def model_settings_path(self) -> Path:
        """Settings of each model."""
        return self.root / "model_settings.json"

    @property
    def calibration_path(self) -> Path:
        """How fast this machine computes models."""
        return self.root / "calibration.json"

    @property
    def kv_snapshots_dir(self) -> Path:
        """What models have read of conversations: a cache."""
        return self.root / "cache" / "kv"

    @property
    def settings_path(self) -> Path:
        """Settings as JSON."""
        return self.root / "settings.json"

    @property
    def logs_dir(self) -> Path:
        """Rotating logs; no user text."""
        return self.root / "logs"

    @property
    def backups_dir(self) -> Path:
        """Verified copies of the databases, made before each migration."""
        return self.root / "backups"

    @property
    def network_ledger_path(self) -> Path:
        """What went over the network: one JSON object a line."""
        return self.root / "network.jsonl"

    @property
    def lock_path(self) -> Path:
        """Locked by the host as long as it lives."""
        return self.root / "host.lock"

    @property
    def window_lock_path(self) -> Path:
        """Locked by the window's process as long as it lives."""
        return self.root / "window.lock"

    @property
    def endpoint_path(self) -> Path:
        """Where the host listens (JSON), written when it is ready."""
        return self.root / "host.json"

    def socket_path(self) -> Path:
        """Give the host's Unix socket: in the user's runtime directory, named by the data folder."""
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        path = runtime_dir() / f"{digest}.sock"
        if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
            path = _short_runtime_dir() / f"{digest}.sock"
        return path


def data_paths(data_dir: str | Path | None = None) -> DataPaths:
    """Choose the data folder: the argument, H2OGPT_DATA_DIR or the platform's place; creates nothing."""
    chosen = (
        data_dir or os.environ.get(DATA_DIR_VARIABLE) or platformdirs.user_data_dir(APP_NAME, appauthor=False)
    )
    return DataPaths(Path(os.path.abspath(Path(chosen).expanduser())))  # noqa: PTH100  # resolve() would follow links


def runtime_dir() -> Path:
    """Give the per-user directory for sockets; made with mode 0700 by whoever listens.

    It stands in the session's runtime directory where there is one, else in the one for temporary files.
    """
    session_dir = os.environ.get("XDG_RUNTIME_DIR")
    if session_dir and Path(session_dir).is_dir():
        return Path(session_dir) / APP_NAME
    return _short_runtime_dir()


def _short_runtime_dir() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"{APP_NAME}-{user}"


def resources_dir() -> Path:
    """Give the folder of bundled resources: beside the frozen program, or at the top of the source tree."""
    bundle_dir = getattr(sys, "_MEIPASS", None)
    top = Path(bundle_dir) if bundle_dir else Path(__file__).resolve().parents[2]
    return top / "resources"


def catalogue_path() -> Path:
    """Give the catalogue of models that comes with the program."""
    return resources_dir() / "models" / "catalogue.json"


def starter_models_dir() -> Path:
    """Give the read-only root of starter models that every data folder sees (`chat/`, `embedding/`)."""
    return resources_dir() / "models"
