"""Models, their fit and their downloads as people read them: words, an icon and a colour of the theme."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QLocale

from app.protocol.downloads import Download
from app.protocol.models import Fit, ModelEntry

_MILLION, _BILLION = 10**6, 10**9


@dataclass(frozen=True)
class Mark:
    """A few words with an icon and the Palette field that colours both; a colour never stands alone."""

    icon: str
    words: str
    role: str


_FIT_LOOKS = {
    "good": ("check-circle", "ok"),
    "slow": ("clock", "warning"),
    "tight": ("warning", "warning"),
    "too_large": ("error", "error"),
}
_STATE_LOOKS = {
    "loaded": ("check-circle", "ok"),
    "loading": ("retry", "busy"),
    "broken": ("error", "error"),
    "missing": ("question", "error"),
}
_DOWNLOAD_LOOKS = {
    "queued": ("clock", "text_muted"),
    "starting": ("download", "busy"),
    "running": ("download", "busy"),
    "stalled": ("warning", "warning"),
    "retrying": ("retry", "warning"),
    "paused": ("pause", "text_muted"),
    "verifying": ("retry", "busy"),
    "done": ("check-circle", "ok"),
    "failed": ("error", "error"),
    "cancelled": ("close", "text_muted"),
}
SOUND_KINDS = ("speech", "voice")
"""Models that understand speech or read aloud: one of each is in use, beside the model that answers."""
OWN_SOURCES = frozenset({"downloaded"})
"""Where files come from that the program may delete without asking for each."""


def size_words(size_bytes: int | None) -> str:
    """Give a size of files and transfers (1000 bytes a kilobyte, as the hub); empty where it is not known."""
    if size_bytes is None:
        return ""
    form = QLocale.DataSizeFormat.DataSizeSIFormat
    return QLocale().formattedDataSize(size_bytes, 0 if size_bytes < _MILLION else 1, form)


def memory_words(size_bytes: int) -> str:
    """Give a size of memory (1024 bytes a kilobyte, as systems and makers count it)."""
    form = QLocale.DataSizeFormat.DataSizeTraditionalFormat
    return QLocale().formattedDataSize(size_bytes, 0 if size_bytes < 1024**2 else 1, form)


def parameter_words(n_params: int | None) -> str:
    """Give a number of parameters as models are named: `135M`, `1.5B`, `70B`; empty where not known."""
    if not n_params:
        return ""
    if n_params < _MILLION:
        return f"{max(1, round(n_params / 1000))}K"
    if round(n_params / _MILLION) < 1000:
        return f"{round(n_params / _MILLION)}M"
    billions = n_params / _BILLION
    return f"{QLocale().toString(billions, 'f', 1 if billions < 9.95 else 0)}B".replace(".0B", "B")


def number_words(number: int) -> str:
    """Give a whole number with its thousands apart."""
    return QLocale().toString(number)


def counted(number: int, one: str, many: str) -> str:
    """Give `one` for 1, else `many` with the number in place of `{0}`."""
    return one if number == 1 else many.format(number_words(number))


def quantization_words(quantization: str) -> str:
    """Say what a quantization means for people; empty where the name says nothing to us.

    Source: the bits per weight that llama.cpp's names carry (`Q4_K_M`: about 4.8 bits).
    """
    name = quantization.upper().removeprefix("UD-")
    known = {
        ("Q2", "IQ1", "IQ2", "TQ"): _tr("smallest, loses much"),
        ("Q3", "IQ3"): _tr("small, loses some"),
        ("Q4", "IQ4", "MXFP4"): _tr("balanced"),
        ("Q5",): _tr("a little better, larger"),
        ("Q6",): _tr("close to the original"),
        ("Q8", "INT8"): _tr("almost as the original"),
        ("F16", "BF16", "FP16", "F32"): _tr("the original, very large"),
    }
    return next((words for starts, words in known.items() if name.startswith(starts)), "")


def tokens_words(n_tokens: int) -> str:
    """Give a number of tokens."""
    return _tr("{0} tokens").format(number_words(n_tokens))


def speed_words(tokens_per_s: float | None) -> str:
    """Give a speed of writing; a dash where it is not known."""
    if tokens_per_s is None:
        return "–"
    return _tr("{0} tokens/s").format(QLocale().toString(tokens_per_s, "f", 1 if tokens_per_s < 100 else 0))


def transfer_words(bytes_per_s: float) -> str:
    """Give a speed of downloading."""
    return _tr("{0}/s").format(size_words(round(bytes_per_s)))


def duration_words(seconds: float) -> str:
    """Give a time that is left, as exactly as an estimate deserves."""
    if seconds < 60:
        return _tr("less than a minute")
    minutes = round(seconds / 60)
    if minutes < 60:
        return _tr("about 1 minute") if minutes == 1 else _tr("about {0} minutes").format(minutes)
    hours, rest = divmod(minutes, 60)
    return _tr("about {0} h {1} min").format(hours, rest) if rest else _tr("about {0} h").format(hours)


def fit_mark(fit: Fit | None) -> Mark | None:
    """Give the advice on a fit; None where there is none."""
    if fit is None:
        return None
    icon, role = _FIT_LOOKS.get(fit.verdict, ("question", "text_muted"))
    words = fit.words or _tr("It is not known whether it fits")
    return Mark(icon, words[:1].upper() + words[1:], role)


def fits(fit: Fit | None) -> bool:
    """Tell whether something may be expected to run here."""
    return fit is not None and fit.verdict in ("good", "slow", "tight")


def state_mark(model: ModelEntry, progress: float | None = None) -> Mark | None:
    """Give a model's state; None for one that merely lies there."""
    look = _STATE_LOOKS.get(model.state)
    if look is None:
        return None
    words = {
        "loaded": _tr("In memory"),
        "loading": _tr("Loading"),
        "broken": _tr("Cannot be used"),
        "missing": _tr("File is missing"),
    }[model.state]
    if model.state == "loading" and progress is not None:
        words += f" {round(progress * 100)} %"
    return Mark(look[0], words, look[1])


def source_words(source: str) -> str:
    """Say where a model comes from."""
    known = {
        "bundled": _tr("Came with the program"),
        "downloaded": _tr("Downloaded"),
        "folder": _tr("Found in the models folder"),
        "imported": _tr("Used in place"),
        "lm_studio": _tr("Used in place from LM Studio"),
        "ollama": _tr("Used in place from Ollama"),
        "gpt4all": _tr("Used in place from GPT4All"),
        "hugging_face": _tr("Used in place from the Hugging Face cache"),
    }
    return known.get(source, source)


def kind_words(kind: str) -> str:
    """Say what models of a kind do."""
    known = {
        "chat": _tr("Chat"),
        "embedding": _tr("Search by meaning"),
        "reranking": _tr("Ordering of search results"),
        "speech": _tr("Speech to text"),
        "voice": _tr("Reading aloud"),
        "projector": _tr("Reads images for another model"),
        "adapter": _tr("Adapter (LoRA)"),
    }
    return known.get(kind, kind)


def sound_letters(kind: str) -> str:
    """Give the usual letters for what understands speech or reads aloud; empty for other kinds."""
    return {"speech": "STT", "voice": "TTS"}.get(kind, "")


def download_mark(download: Download, retry_in_s: float | None = None) -> Mark:
    """Give a download's state; `retry_in_s` counts down to the next try, where that is known."""
    icon, role = _DOWNLOAD_LOOKS.get(download.state, ("question", "text_muted"))
    return Mark(icon, _download_state(download, retry_in_s), role)


def _download_state(download: Download, retry_in_s: float | None) -> str:
    if download.state == "retrying" and retry_in_s is not None:
        return _tr("Trying again in {0} s").format(max(1, round(retry_in_s)))
    known = {
        "queued": _tr("Waiting for its turn"),
        "starting": _tr("Connecting"),
        "running": _tr("Downloading"),
        "stalled": _tr("Nothing arrives; trying again"),
        "retrying": _tr("Trying again soon"),
        "paused": _tr("Paused"),
        "verifying": _tr("Checking the file"),
        "done": _tr("Done and checked"),
        "failed": _tr("Failed"),
        "cancelled": _tr("Cancelled"),
    }
    return known.get(download.state, download.state)


def amount_words(download: Download) -> str:
    """Say how much of a download is here."""
    total = size_words(download.total_bytes)
    if download.state == "done":
        return total or size_words(download.done_bytes)
    done = size_words(download.done_bytes)
    return _tr("{0} of {1}").format(done, total) if total else done


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelWords", text)
