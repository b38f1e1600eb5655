"""Keeps the voice packages from what this program does without: a client of a model hub, and downloads.

faster-whisper imports huggingface_hub to download models by name, and piper-tts downloads a model of its own
for Chinese voices. Models come by this program's own downloads alone, which the user starts and sees; so
both are kept out, from source and installed alike.

Source: `faster_whisper/utils.py` of faster-whisper 1.2.1; `piper/phonemize_chinese.py` of piper-tts 1.8.0.
"""

import importlib.machinery
import sys
from types import ModuleType
from typing import Any, NoReturn

HUB = "huggingface_hub"
UNUSED = ("piper.phonemize_chinese", "piper.download_voices", "piper.http_server")
"""Modules that would open connections; importing them fails as if they were not installed."""


def leave_out_downloads() -> None:
    """Put an empty module in the hub client's place and bar what downloads; before the first import of both.

    Called by the voice worker alone, first thing: other processes are left as they are.
    """
    hub = ModuleType(HUB, "Left out: see app.worker.voice.left_out.")
    hub.__spec__ = importlib.machinery.ModuleSpec(HUB, loader=None)
    hub.snapshot_download = _refuse  # type: ignore[attr-defined]
    sys.modules[HUB] = hub
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # so Python's own import says "not found"


def _refuse(*_arguments: Any, **_named: Any) -> NoReturn:
    """Stand for the hub's download.

    Raises:
        RuntimeError: always; a speech model is named by its folder here, never by its name in a hub.
    """
    raise RuntimeError("faster-whisper tried to download a model, which this program leaves out")
