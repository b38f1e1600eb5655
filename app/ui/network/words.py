"""The network's ledger in words, and as text for other programs."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale

from app.protocol.network import LedgerEntry, NetworkStatus

_FORMULA_STARTS = ("=", "+", "-", "@", "\t")


def time_words(entry: LedgerEntry) -> str:
    """Give date and time of day in the user's own form."""
    when = QDateTime.fromSecsSinceEpoch(int(entry.when))
    return QLocale().toString(when, QLocale.FormatType.ShortFormat)


def size_words(n_bytes: int) -> str:
    """Give an amount of data; a dash for none."""
    if n_bytes <= 0:
        return "–"
    return QLocale().formattedDataSize(n_bytes, 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def outcome_words(entry: LedgerEntry) -> str:
    """Say what became of a connection."""
    words = {
        "open": _tr("open now"),
        "closed": _tr("ended"),
        "failed": _tr("failed"),
        "refused": _tr("refused"),
    }.get(entry.outcome, entry.outcome)
    if entry.outcome == "closed" and entry.seconds is not None:
        shown = max(float(entry.seconds), 0.1)
        seconds = QLocale().toString(shown, "f", 1 if shown < 9.95 else 0)
        words = _tr("ended after {0} s").format(seconds)
    return f"{words}: {entry.detail}" if entry.detail else words


def totals_words(n_entries: int, n_sent_bytes: int, n_received_bytes: int) -> str:
    """Sum up the ledger."""
    count = _tr("1 entry") if n_entries == 1 else _tr("{0} entries").format(QLocale().toString(n_entries))
    return _tr("{0} · {1} sent · {2} received").format(
        count, size_words(n_sent_bytes), size_words(n_received_bytes)
    )


def token_words(status: NetworkStatus) -> str:
    """Say where the hub's token is kept."""
    if not status.has_token:
        return _tr("No token is kept. Only models whose owners ask for it need one.")
    if status.token_place == "keyring":  # noqa: S105  # the name of a place
        return _tr("A token is kept in this system's keyring. It is never shown again.")
    return _tr(
        "A token is kept in memory until the program ends: this system has no keyring that could keep it. "
        "It is never shown again."
    )


def ledger_text(entries: Sequence[LedgerEntry], separator: str = "\t") -> str:
    """Write the ledger as a table for other programs, the newest first.

    Times are in ISO 8601 with the zone, sizes in bytes. A cell that a spreadsheet would take for a formula
    gets an apostrophe in front: names of models come from other people.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(("time", "host", "why", "sent_bytes", "received_bytes", "seconds", "outcome", "detail"))
    for entry in entries:
        when = datetime.fromtimestamp(entry.when).astimezone().isoformat(timespec="seconds")
        seconds = "" if entry.seconds is None else f"{entry.seconds:.1f}"
        sizes = (entry.n_sent_bytes, entry.n_received_bytes, seconds)
        writer.writerow(
            (when, _cell(entry.host), _cell(entry.why), *sizes, entry.outcome, _cell(entry.detail))
        )
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _tr(text: str) -> str:
    return QCoreApplication.translate("NetworkWords", text)
