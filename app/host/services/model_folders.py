"""Folders in which other programs keep their models: found, and read in place without changing anything.

Source: the programs' documentation: LM Studio, “Offline → Import models” (`models/PUBLISHER/REPOSITORY`);
    Ollama, `docs/faq.md` (where models are stored; `OLLAMA_MODELS`) and `docs/import.md`; GPT4All, “Settings”
    (download path); huggingface_hub, “Manage cache” (`HF_HOME`, `HF_HUB_CACHE`, `models--OWNER--NAME`).
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.host.services.model_files import ModelFile, found_at, models_in, walk, with_projectors

MAX_MANIFEST_BYTES = 1_000_000
MAX_LAYERS = 100
_MAX_MANIFESTS = 2000
_DIGEST = re.compile(r"^sha256[:-]([0-9a-f]{64})$")
_MODEL_LAYER = "application/vnd.ollama.image.model"
_PROJECTOR_LAYER = "application/vnd.ollama.image.projector"
_GPT4ALL_UNFINISHED = "incomplete-"  # Source: gpt4all-chat, download.cpp: the name while a download runs
_OWN_REGISTRY, _OWN_NAMESPACE = "registry.ollama.ai", "library"

TITLES = {
    "lm_studio": "LM Studio",
    "ollama": "Ollama",
    "gpt4all": "GPT4All",
    "hugging_face": "Hugging Face",
    "folder": "Folder",
}


@dataclass(frozen=True)
class Surroundings:
    """Where a user's programs keep their things.

    Attributes:
        home: the user's folder.
        environ: environment variables.
        platform: as `sys.platform`.
    """

    home: Path
    environ: Mapping[str, str]
    platform: str = sys.platform


@dataclass(frozen=True)
class ForeignFolder:
    """A folder of another program.

    Attributes:
        program: `lm_studio`, `ollama`, `gpt4all`, `hugging_face` or `folder`.
    """

    program: str
    path: Path

    @property
    def title(self) -> str:
        """The program's name for people."""
        return TITLES.get(self.program, self.program)


def known_folders(around: Surroundings) -> list[ForeignFolder]:
    """Give the folders that exist on this computer."""
    home, environ = around.home, around.environ
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    hub_home = Path(environ.get("HF_HOME") or cache / "huggingface")
    places = [
        ("lm_studio", home / ".lmstudio" / "models"),
        ("lm_studio", cache / "lm-studio" / "models"),
        ("ollama", Path(environ.get("OLLAMA_MODELS") or home / ".ollama" / "models")),
        *(("ollama", Path(path)) for path in _shared_ollama(around.platform)),
        ("gpt4all", _gpt4all(around)),
        ("hugging_face", Path(environ.get("HF_HUB_CACHE") or hub_home / "hub")),
    ]
    found: dict[Path, ForeignFolder] = {}
    for program, path in places:
        if path.is_absolute() and path not in found and _is_folder(path):
            found[path] = ForeignFolder(program, path)
    return list(found.values())


def _shared_ollama(platform: str) -> tuple[str, ...]:
    return ("/usr/share/ollama/.ollama/models",) if platform.startswith("linux") else ()


def _gpt4all(around: Surroundings) -> Path:
    if around.platform == "win32":
        local = around.environ.get("LOCALAPPDATA")
        return (Path(local) if local else around.home / "AppData" / "Local") / "nomic.ai" / "GPT4All"
    if around.platform == "darwin":
        return around.home / "Library" / "Application Support" / "nomic.ai" / "GPT4All"
    data = around.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else around.home / ".local" / "share") / "nomic.ai" / "GPT4All"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def models_of(folder: ForeignFolder) -> list[ModelFile]:
    """Find the models in another program's folder; blocking, bounded, read-only."""
    if folder.program == "ollama":
        return _ollama_models(folder.path)
    if folder.program == "hugging_face":
        return _hub_models(folder.path)
    depth = {"lm_studio": 3, "gpt4all": 0}.get(folder.program, 1)
    found = models_in(folder.path, folder.program, depth=depth, foreign=True)
    if folder.program == "gpt4all":
        found = [model for model in found if not model.path.name.startswith(_GPT4ALL_UNFINISHED)]
    if folder.program == "lm_studio":  # each of its folders is one repository
        return with_projectors(found)
    return with_projectors(found, lambda one, other: False)


def _hub_models(root: Path) -> list[ModelFile]:
    """Read a Hugging Face cache: links in `snapshots/COMMIT` point into `blobs`."""
    models: dict[Path, ModelFile] = {}
    for repository in sorted(root.glob("models--*")):
        for path in walk(repository / "snapshots", 3, (".gguf",)):
            target = _inside(path, root)
            model = found_at(path, "hugging_face", folder=root)
            if target is None or model is None or path not in model.files[:1]:
                continue
            models.setdefault(target, model)  # several commits share a file
    return with_projectors(models.values())


def _inside(path: Path, root: Path) -> Path | None:
    """Follow a link that stays inside a folder; None where it leads out of it, or nowhere."""
    try:
        target = path.resolve(strict=True)
        return target if target.is_relative_to(root.resolve(strict=True)) else None
    except (OSError, RuntimeError):  # a loop of links
        return None


def _ollama_models(root: Path) -> list[ModelFile]:
    models = []
    for path in _manifests(root / "manifests"):
        layers = _layers(path)
        blob = _blob(root, layers.get(_MODEL_LAYER))
        model = found_at(blob, "ollama", _ollama_name(path, root / "manifests"), root) if blob else None
        if model is not None:
            models.append(replace(model, parts=(), projector=_blob(root, layers.get(_PROJECTOR_LAYER))))
    return models


def _manifests(root: Path) -> Iterator[Path]:
    """Give the manifests: `REGISTRY/NAMESPACE/MODEL/TAG`."""
    n_given = 0
    for path in walk(root, 3, ("",)):
        if len(path.relative_to(root).parts) == 4:
            n_given += 1
            if n_given > _MAX_MANIFESTS:
                return
            yield path


def _ollama_name(path: Path, root: Path) -> str:
    registry, namespace, model, tag = path.relative_to(root).parts
    name = f"{model}:{tag}"
    if namespace != _OWN_NAMESPACE:
        name = f"{namespace}/{name}"
    return name if registry == _OWN_REGISTRY else f"{registry}/{name}"


def _layers(path: Path) -> dict[str, str]:
    """Read a manifest that may say anything: digests by type of layer, the first of each."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
            return {}
        value: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    layers = value.get("layers") if isinstance(value, dict) else None
    digests: dict[str, str] = {}
    for layer in layers[:MAX_LAYERS] if isinstance(layers, list) else ():
        if isinstance(layer, dict):
            kind, digest = layer.get("mediaType"), layer.get("digest")
            if isinstance(kind, str) and isinstance(digest, str):
                digests.setdefault(kind, digest)
    return digests


def _blob(root: Path, digest: str | None) -> Path | None:
    """Give the file of a digest; only a plain sha256 names one, so that no manifest leads elsewhere."""
    match = _DIGEST.match(digest or "")
    if match is None:
        return None
    path = root / "blobs" / f"sha256-{match[1]}"
    return path if _inside(path, root) is not None else None
