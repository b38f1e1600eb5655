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
    if phase.phase == "waiting" and phase.detail:
        return _waiting_words(phase.detail)
    if phase.detail:
        return f"{words} {phase.detail}"
    if phase.progress is not None and phase.phase in ("loading", "reading"):
        return f"{words} {round(phase.progress * 100)} %"
    return words


def _waiting_words(detail: str) -> str:
    """Say how many answers come first; the host gives their number, or the words."""
    if detail == "1":
        return _tr("Waiting: 1 answer before this one")
    if detail.isdecimal():
        return _tr("Waiting: {0} answers before this one").format(detail)
    return _tr("Waiting: {0}").format(detail)


def note_words(stats: AnswerStats) -> str:
    """Say what a reader of the answer should know of how it was made; empty where nothing."""
    if stats.n_shifted > 0:
        return _tr("The model forgot the oldest part of this conversation to go on writing.")
    return ""


def details_words(stats: AnswerStats) -> str:
    """Give the finer figures, one a line, for a tool tip; empty where there are none."""
    locale = QLocale()
    lines = []
    if stats.prompt_tokens:
        read = _tr("{0} tokens read, {1} of them known from before").format(
            locale.toString(stats.prompt_tokens), locale.toString(stats.cached_tokens)
        )
        lines.append(read)
    if stats.from_snapshot:
        lines.append(_tr("what was known was read back from the disk"))
    if stats.n_drafted:
        lines.append(
            _tr("{0} of {1} tokens guessed ahead were right").format(
                locale.toString(stats.n_accepted), locale.toString(stats.n_drafted)
            )
        )
    if stats.n_shifted:
        lines.append(_tr("{0} oldest tokens forgotten").format(locale.toString(stats.n_shifted)))
    if stats.seed is not None:
        lines.append(_tr("seed {0}").format(stats.seed))
    return "\n".join(lines)


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
