"""Models that are a folder of files with everyday names: speech, voices, embedders and rerankers."""

import json
from collections.abc import Sequence
from pathlib import Path

from app.host.services.model_files import ModelFile, walk

_MAX_FILES = 200
_MAX_CONFIG_BYTES = 1_000_000
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.onnx")


def sets_in(folder: Path) -> list[ModelFile]:
    """Find the models that are folders in the models folder; blocking, bounded."""
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
    found = [_set_at(path) for path in below if not path.name.startswith(".")]
    return [model for model in found if model is not None]


def _set_at(folder: Path) -> ModelFile | None:
    files = [path for path, _ in zip(walk(folder, 3, ("",)), range(_MAX_FILES), strict=False)]
    main, kind = _recognized(files)
    if main is None:
        return None
    size_bytes = modified_ns = 0
    for path in files:
        try:
            state = path.stat()
        except OSError:
            return None  # it is just going
        size_bytes, modified_ns = size_bytes + state.st_size, max(modified_ns, state.st_mtime_ns)
    parts = (main, *(path for path in files if path != main))
    return ModelFile(folder.name, main, "folder", size_bytes, modified_ns, parts, kind=kind)


def _recognized(files: Sequence[Path]) -> tuple[Path | None, str]:
    """Give the main file and the kind of model that these files are.

    Source: faster-whisper, README (`model.bin` of CTranslate2 with `vocabulary.*`); Piper, README (`.onnx`
        with `.onnx.json`); transformers, `config.json` (`architectures`).
    """
    names = {path.name: path for path in files}
    if "model.bin" in names and any(name.startswith("vocabulary.") for name in names):
        return names["model.bin"], "speech"
    for name, path in names.items():
        if name.endswith(".onnx") and f"{name}.json" in names:
            return path, "voice"
    main = next((names[name] for name in _WEIGHTS if name in names), None)
    if main is None or "config.json" not in names:
        return None, ""
    return main, "reranking" if _is_classifier(names["config.json"]) else "embedding"


def _is_classifier(path: Path) -> bool:
    try:
        value = json.loads(path.read_bytes()) if path.stat().st_size <= _MAX_CONFIG_BYTES else None
    except (OSError, ValueError, RecursionError):
        return False
    architectures = value.get("architectures") if isinstance(value, dict) else None
    return isinstance(architectures, list) and any("SequenceClassification" in str(x) for x in architectures)
