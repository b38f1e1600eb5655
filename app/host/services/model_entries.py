"""Entries of the list of models, from what was found on the disk, in the files' heads and in memory."""

from collections.abc import Mapping

from app.core.errors import ModelError
from app.host.services.model_files import ModelFile
from app.host.services.model_inspection import Inspection
from app.host.services.model_places import Record, verified_record
from app.protocol.models import ModelEntry

CRASHES = ModelError(
    "model.crashes",
    "The engine crashed each time that this model was loaded.",
    "Choose another model, or fetch this one again.",
)
MISSING_HINT = "Put the file back, connect its drive, or remove the model from the list."


def entry_of(
    model: ModelFile, inspection: Inspection, records: Mapping[str, Record], *, crashes: bool = False
) -> ModelEntry:
    """Describe a model that is not loaded."""
    problem = CRASHES if crashes else inspection.problem
    record = verified_record(model, records)
    is_ours = model.source == "downloaded"
    return ModelEntry(
        name=model.name,
        path=str(model.path),
        size_bytes=model.size_bytes,
        state="available" if problem is None else "broken",
        problem=problem.user_message if problem is not None else "",
        hint=problem.hint if problem is not None else "",
        kind=inspection.kind,
        source=model.source,
        format=inspection.format,
        architecture=inspection.architecture,
        quantization=inspection.quantization,
        n_params=inspection.n_params,
        context_trained=inspection.context_trained,
        licence=inspection.licence or (record.licence if record is not None else ""),
        has_template=inspection.has_template,
        projector=model.projector.name if model.projector is not None else "",
        verified=record is not None,
        freed_bytes=model.size_bytes if is_ours else 0,
    )


def missing_entry(model: ModelFile) -> ModelEntry:
    """Describe a model whose file vanished."""
    return ModelEntry(
        name=model.name,
        path=str(model.path),
        size_bytes=0,
        state="missing",
        problem=f"The file {model.path.name} is not in {model.path.parent} any more.",
        hint=MISSING_HINT,
        source=model.source,
    )
