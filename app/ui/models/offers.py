"""Models to get: their rows, their files, how they are grouped and which of them are shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from PySide6.QtCore import QCoreApplication

from app.protocol.catalogue import CatalogueFile, CatalogueModel
from app.protocol.downloads import Download
from app.ui.models.row_model import Heading, RowLook
from app.ui.models.words import (
    Mark,
    download_mark,
    fit_mark,
    fits,
    kind_words,
    number_words,
    parameter_words,
    quantization_words,
    size_words,
    sound_letters,
)

_BILLION = 10**9
_GROUP_ENDS = (2.5 * _BILLION, 5.5 * _BILLION, 10.5 * _BILLION, 24 * _BILLION, float("inf"))
_KINDS = ("chat", "embedding", "reranking", "speech", "voice")
_CHOSEN_ROLES = ("model", "voice")


@dataclass(frozen=True)
class OfferFilter:
    """Which models of the catalogue are shown.

    Attributes:
        text: words that must all be found, in any case.
        kind: empty for all.
        only_fitting: only what runs on this computer.
    """

    text: str = ""
    kind: str = ""
    only_fitting: bool = False

    def admits(self, offer: CatalogueModel) -> bool:
        """Tell whether a model is shown."""
        told = (offer.title, offer.family, offer.good_for, offer.licence, offer.repository, offer.languages)
        text = " ".join(told).casefold()
        return (
            self.kind in ("", offer.kind)
            and all(word in text for word in self.text.casefold().split())
            and (not self.only_fitting or runs_here(offer))
        )


@dataclass(frozen=True)
class FileRow:
    """A file as its row shows it.

    Attributes:
        extra_bytes: of what comes along (projector, configuration).
        download: that runs or waits for it.
    """

    file: CatalogueFile
    is_recommended: bool = False
    extra_bytes: int = 0
    download: Download | None = None


def choices(offer: CatalogueModel) -> tuple[CatalogueFile, ...]:
    """Give the files that one chooses among, smallest first; what comes along with them is left out."""
    files = [file for file in offer.files if file.role in _CHOSEN_ROLES]
    return tuple(sorted(files, key=lambda file: (file.size_bytes is None, file.size_bytes or 0, file.name)))


def extra_bytes(offer: CatalogueModel) -> int:
    """Give the size of what comes along with any file of a model."""
    return sum(file.size_bytes or 0 for file in offer.files if file.role not in _CHOSEN_ROLES)


def best_file(offer: CatalogueModel) -> CatalogueFile | None:
    """Give the file that is recommended here, else the smallest; None where none is known."""
    files = choices(offer)
    named = next((file for file in files if file.name == offer.recommended), None)
    return named or (files[0] if files else None)


def runs_here(offer: CatalogueModel) -> bool:
    """Tell whether some file of a model may be expected to run; what needs no advice does."""
    files = choices(offer)
    return not files or any(file.fit is None or fits(file.fit) for file in files)


def installed_name(offer: CatalogueModel) -> str:
    """Give the name of a model here that is a file of this one; empty where there is none."""
    return next((file.installed for file in choices(offer) if file.installed), "")


def grouped(offers: Iterable[CatalogueModel]) -> list[CatalogueModel | Heading]:
    """Put models under headings: chat models by size, the others by what they do."""
    groups: dict[str, list[CatalogueModel]] = {}
    ordered = sorted(offers, key=lambda offer: (_kind_rank(offer.kind), offer.n_params or 0, offer.title))
    for offer in ordered:
        groups.setdefault(_group(offer), []).append(offer)
    rows: list[CatalogueModel | Heading] = []
    for title, members in groups.items():
        rows += [Heading(title), *members]
    return rows


def _kind_rank(kind: str) -> int:
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _group(offer: CatalogueModel) -> str:
    if offer.kind != "chat":
        return kind_words(offer.kind)
    titles = (
        _tr("Small: quick on any computer"),
        _tr("Light: for laptops"),
        _tr("Medium: good answers, 8 GB of memory or more"),
        _tr("Large: better answers, 16 GB of memory or more"),
        _tr("Very large: for workstations"),
    )
    n_params = offer.n_params or 0
    return next(title for title, end in zip(titles, _GROUP_ENDS, strict=True) if n_params <= end)


def file_size_words(file: CatalogueFile) -> str:
    """Give a file's size: as published, else about; empty where nothing is known."""
    if file.size_bytes is None and file.size_about_bytes:
        return _tr("about {0}").format(size_words(file.size_about_bytes))
    return size_words(file.size_bytes)


def offer_look(offer: CatalogueModel) -> RowLook:
    """Draw a model's row."""
    file = best_file(offer)
    marks: list[Mark | None] = []
    if installed_name(offer):
        marks.append(Mark("check-circle", _tr("Installed"), "ok"))
    if file is not None:
        marks.append(fit_mark(file.fit))
    if offer.needs_token:
        marks.append(Mark("key", _tr("Needs a token"), "text_muted"))
    shown = tuple(mark for mark in marks if mark is not None)
    right = file_size_words(file) if file is not None else _downloads_words(offer)
    return RowLook(
        title=offer.title,
        badge=parameter_words(offer.n_params) or ("GGUF" if not offer.files else _letters(offer.kind)),
        badge_role="accent" if offer.kind == "chat" else "ok",
        right=right,
        marks=shown or (Mark("", offer.good_for or offer.repository, "text_muted"),),
    )


def _letters(kind: str) -> str:
    return sound_letters(kind) or "AI"


def _downloads_words(offer: CatalogueModel) -> str:
    if offer.n_downloads is None:
        return ""
    return _tr("{0} downloads").format(number_words(offer.n_downloads))


def file_rows(offer: CatalogueModel, downloads: Sequence[Download]) -> list[FileRow]:
    """Give the rows of a model's files."""
    extra = extra_bytes(offer)
    return [
        FileRow(
            file=file,
            is_recommended=file.name == offer.recommended,
            extra_bytes=extra,
            download=_download_of(offer, file, downloads),
        )
        for file in choices(offer)
    ]


def _download_of(
    offer: CatalogueModel, file: CatalogueFile, downloads: Sequence[Download]
) -> Download | None:
    for download in reversed(downloads):
        is_it = download.repository == offer.repository and _is_file_of(download, file)
        if is_it and download.state not in ("done", "cancelled"):
            return download
    return None


def with_installed(offer: CatalogueModel, download: Download) -> CatalogueModel:
    """Give a model with the file of a finished download marked as being here."""
    files = tuple(
        replace(file, installed=download.model) if _is_file_of(download, file) else file
        for file in offer.files
    )
    return replace(offer, files=files)


def _is_file_of(download: Download, file: CatalogueFile) -> bool:
    names = {PurePosixPath(name).name for name in (file.name, *file.parts)}
    return PurePosixPath(download.name).name in names


def file_look(row: FileRow) -> RowLook:
    """Draw a file's row."""
    file = row.file
    meaning = quantization_words(file.quantization)
    title = " – ".join(part for part in (file.quantization or PurePosixPath(file.name).name, meaning) if part)
    marks: list[Mark | None] = []
    if file.installed:
        marks.append(Mark("check-circle", _tr("Installed"), "ok"))
    elif row.download is not None:
        marks.append(download_mark(row.download))
    if row.is_recommended:
        marks.append(Mark("star", _tr("Recommended"), "accent"))
    marks.append(fit_mark(file.fit))
    return RowLook(
        title=title,
        right=file_size_words(file),
        marks=tuple(mark for mark in marks if mark is not None)
        or (Mark("", PurePosixPath(file.name).name, "text_muted"),),
    )


def _tr(text: str) -> str:
    return QCoreApplication.translate("Offers", text)
