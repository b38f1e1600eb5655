"""The catalogue of models that comes with the program: facts for choosing one, without any connection.

The file `resources/models/catalogue.json` states only what its sources state; what is not known is null, and
sizes that are not known are estimated from the number of weights and the quantization. No file's hash stands
in it: that is taken from the hub when a file is downloaded.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.errors import StorageError
from app.core.model_facts import BITS_PER_WEIGHT, part_names, size_about
from app.core.model_shape import ModelShape, shape_from_facts
from app.protocol.models import Fit

CATALOGUE_NAME = "catalogue.json"

Kind = Literal["chat", "embedding", "reranking", "speech", "voice"]
Role = Literal["model", "projector", "config", "voice"]

# Quantizations that lose little and save much, the best first.
# Source: llama.cpp, `tools/quantize/README.md`: loss of perplexity by quantization.
PREFERRED = ("Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "MXFP4", "Q4_0")
# Below this many weights, fewer bits cost more quality than they save memory.
_SMALL = 1_000_000_000
# Source: scripts/setup/model_pins.py, which says what is in the starter pack's folder.
_STARTER_FOLDERS = {"whisper-tiny": "faster-whisper-tiny.en"}
_RANK = {"good": 0, "slow": 1, "tight": 2}


class File(BaseModel):
    """One file of a model, or the first of its parts.

    Attributes:
        name: path inside the repository.
        size_bytes: of all parts; None where no source states it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=300)
    size_bytes: int | None = Field(default=None, gt=0)
    quantization: str = ""
    role: Role = "model"

    @property
    def parts(self) -> tuple[str, ...]:
        """Paths of all parts in order, where the model is split; else empty."""
        folder, slash, name = self.name.rpartition("/")
        return tuple(f"{folder}{slash}{part}" for part in part_names(name))


class Model(BaseModel):
    """A model of the catalogue.

    Attributes:
        n_params_active: weights that one token uses, where that is fewer (mixtures of experts).
        head_size: numbers of one attention head.
        width: of the embeddings.
        inner: width of the feed-forward part; of one expert, in a mixture.
        good_for, languages, licence_note: in words.
        source: name of the pages that the facts come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)
    title: str
    family: str
    kind: Kind
    repository: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
    architecture: str | None = None
    n_params: int | None = Field(default=None, gt=0)
    n_params_active: int | None = Field(default=None, gt=0)
    context_length: int | None = Field(default=None, gt=0)
    n_layers: int | None = Field(default=None, gt=0)
    n_heads: int | None = Field(default=None, gt=0)
    n_kv_heads: int | None = Field(default=None, gt=0)
    head_size: int | None = Field(default=None, gt=0)
    width: int | None = Field(default=None, gt=0)
    inner: int | None = Field(default=None, gt=0)
    n_vocab: int | None = Field(default=None, gt=0)
    licence: str
    licence_note: str = ""
    needs_token: bool = False
    good_for: str
    languages: str = ""
    source: str = Field(min_length=3)
    files: tuple[File, ...] = Field(min_length=1)

    def size_bytes(self, file: File) -> int | None:
        """Give a file's size, estimated where no source states it; None where that cannot be."""
        if file.size_bytes is not None or file.role != "model":
            return file.size_bytes
        return size_about(self.n_params, file.quantization)

    def shape(self, file: File) -> ModelShape | None:
        """Give what the fit advice needs; None for what is no chat model, or too little known."""
        if self.kind != "chat" or file.role != "model":
            return None
        return shape_from_facts(
            weight_bytes=self.size_bytes(file),
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            n_kv_heads=self.n_kv_heads,
            width=self.width,
            n_params=self.n_params,
            n_params_active=self.n_params_active,
            architecture=self.architecture,
            inner=self.inner,
            n_vocab=self.n_vocab,
            context_trained=self.context_length,
            key_size=self.head_size,
            value_size=self.head_size,
        )

    def projector(self) -> File | None:
        """Give the file with which the model reads images; None where it has none."""
        return next((file for file in self.files if file.role == "projector"), None)


class Catalogue(BaseModel):
    """All models, as the file holds them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model | None:
        """Give a model by its id; None where there is none."""
        return next((model for model in self.models if model.id == model_id), None)


def load_catalogue(path: Path) -> Catalogue:
    """Read the catalogue.

    Raises:
        StorageError: `catalogue.damaged`.
    """
    try:
        return Catalogue.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StorageError(
            "catalogue.damaged",
            "The list of models that came with the program cannot be read.",
            "Install the program again.",
        ) from error


def recommended(model: Model, fit_of: Callable[[File], Fit | None]) -> str:
    """Choose the file that suits this machine best; empty where none fits.

    That is the largest of good quality that runs well; where none does, the smallest of those that run.

    Args:
        model: whose files are compared.
        fit_of: gives the advice for a file.
    """
    files = _of_good_quality(model)
    verdicts = [(file, fit) for file in files if (fit := fit_of(file)) is not None]
    good = [file for file, fit in verdicts if fit.verdict == "good"]
    if good:
        return good[0].name
    running = [(file, fit) for file, fit in verdicts if fit.verdict in _RANK]
    running.reverse()
    return min(running, key=lambda item: _RANK[item[1].verdict])[0].name if running else ""


def _of_good_quality(model: Model) -> list[File]:
    """Give the model files to choose from, the most bits first."""
    files = [file for file in model.files if file.role in ("model", "voice")]
    preferred = [file for file in files if file.quantization in PREFERRED]
    if (model.n_params or 0) < _SMALL or not preferred:
        preferred = [file for file in files if file.quantization in (*PREFERRED, "Q8_0")] or files
    return sorted(preferred, key=_bits, reverse=True)


def _bits(file: File) -> float:
    return BITS_PER_WEIGHT.get(file.quantization, 0.0)


def installed_as(model: Model, file: File, here: Iterable[tuple[str, str, str]]) -> str:
    """Give the name of the model here that is this file; empty where it is not here.

    GGUF files and voices are known by their names; files with everyday names by their folder, which is the
    model's id (or what the starter pack calls it).

    Args:
        model: of the catalogue.
        file: of its files.
        here: (folder's name, file name, name in the list) of the models here.
    """
    wanted = file.name.rpartition("/")[2].casefold()
    has_own_name = wanted.endswith(".gguf") or file.role == "voice"
    for folder, file_name, name in here:
        same_folder = _STARTER_FOLDERS.get(folder, folder) == model.id
        if file_name.casefold() == wanted and (has_own_name or same_folder):
            return name
    return ""
