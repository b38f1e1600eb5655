"""Opens a model file with the engine that knows its format."""

from app.protocol.engine import LoadModel
from app.worker.inference.engine import load_model
from app.worker.inference.llama_text_model import complete
from app.worker.inference.text_model import Surroundings, TextModel


def open_model(request: LoadModel, around: Surroundings) -> TextModel:
    """Load a model; the thread that will generate calls it.

    Raises:
        ModelError: codes of `LoadModel`.
        Cancelled: on request.
    """
    return complete(load_model(request, around), around)
