"""A model in words, for the chooser beside the composer."""

from PySide6.QtCore import QCoreApplication, QLocale

from app.protocol.models import Fit, ModelEntry

_FIT_COLOURS = {"good": "ok", "slow": "warning", "tight": "warning", "too_large": "error"}
_OTHER_PROGRAMS = frozenset({"lm_studio", "ollama", "gpt4all", "hugging_face"})
_UNUSABLE = frozenset({"broken", "missing"})


def is_usable(model: ModelEntry) -> bool:
    """Tell whether a model can be chosen."""
    return model.state not in _UNUSABLE


def is_of_other_program(model: ModelEntry) -> bool:
    """Tell whether a model's file belongs to another program."""
    return model.source in _OTHER_PROGRAMS


def reads_images(model: ModelEntry) -> bool:
    """Tell whether a model can be shown images."""
    return bool(model.projector)


def fit_colour(fit: Fit | None) -> str:
    """Give the Palette field that stands for a verdict."""
    return _FIT_COLOURS.get(fit.verdict, "text_faint") if fit is not None else "text_faint"


def model_line(model: ModelEntry, progress: float | None = None) -> str:
    """Give a model in one line: name, size, quantization, and what is to be said of it."""
    size = QLocale().formattedDataSize(model.size_bytes, 1, QLocale.DataSizeFormat.DataSizeSIFormat)
    parts = (model.name, size, model.quantization, _state_words(model, progress))
    return "  ·  ".join(part for part in parts if part)


def _state_words(model: ModelEntry, progress: float | None) -> str:
    if not is_usable(model):
        reason = model.problem.rstrip(".")
        gone = _tr("file is missing") if model.state == "missing" else _tr("cannot be used")
        return f"{gone}: {reason}" if reason else gone
    if model.state == "loading":
        percent = f" {round(progress * 100)} %" if progress is not None else ""
        return _tr("loading") + percent
    if model.state == "loaded":
        return _tr("ready")
    return model.fit.words if model.fit is not None else ""


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelWords", text)
