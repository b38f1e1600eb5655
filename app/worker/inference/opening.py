"""Opens a model file with the engine that knows its format."""

from pathlib import Path

from app.core.ggml_legacy import is_legacy
from app.protocol.engine import LoadModel
from app.worker.inference.llama_text_model import complete
from app.worker.inference.loading import load_model
from app.worker.inference.text_model import Surroundings, TextModel
from app.worker.inference.vision import attach_reader, check_projector


def open_model(request: LoadModel, around: Surroundings) -> TextModel:
    """Load a model; the thread that will generate calls it.

    Raises:
        ModelError: codes of `LoadModel`.
        Cancelled: on request.
    """
    if is_legacy(Path(request.path)):
        from app.worker.inference.legacy_loading import load_legacy

        return load_legacy(request, around)
    projector = check_projector(request) if request.projector else None
    loaded = load_model(request, around)
    if projector is not None:
        attach_reader(loaded, projector, around)
    return complete(loaded, around)
