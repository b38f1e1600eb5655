"""The words that tell where an answer stands."""

from PySide6.QtCore import QCoreApplication, QLocale

from app.protocol.chat import AnswerPhase, AnswerStats


def phase_words(phase: AnswerPhase) -> str:
    """Say in words what is going on for an answer."""
    words = {
        "waiting": _tr("Waiting for the answer before this one…"),
        "searching": _tr("Searching your documents…"),
        "loading": _tr("Loading the model…"),
        "reading": _tr("Reading the passages…"),
        "writing": _tr("Writing…"),
        "stopping": _tr("Stopping…"),
        "starting": _tr("Starting…"),
    }.get(phase.phase, phase.phase)
    if phase.detail:
        return f"{words} {phase.detail}"
    if phase.progress is not None and phase.phase in ("loading", "reading"):
        return f"{words} {round(phase.progress * 100)} %"
    return words


def stats_words(stats: AnswerStats) -> str:
    """Give the figures of an answer in one short line; empty where there are none."""
    parts = []
    locale = QLocale()
    if stats.completion_tokens:
        parts.append(_tr("{0} tokens").format(locale.toString(stats.completion_tokens)))
    if stats.tokens_per_s:
        parts.append(_tr("{0} tokens/s").format(locale.toString(stats.tokens_per_s, "f", 1)))
    if stats.first_token_s is not None:
        parts.append(_tr("first word after {0} s").format(locale.toString(stats.first_token_s, "f", 1)))
    return " · ".join(parts)


def _tr(text: str) -> str:
    return QCoreApplication.translate("Answer", text)
