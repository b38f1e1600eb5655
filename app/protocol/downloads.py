"""Messages about downloads of models."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class Download(Body):
    """One file that is, was or will be downloaded.

    Attributes:
        id: of the download.
        title: for people: the model's title and quantization.
        name: of the file it becomes in the models folder.
        state: `queued`, `starting`, `running`, `stalled` (no bytes for a while, trying again), `retrying`
            (waits before the next try), `paused`, `verifying` (sha256), `done`, `failed` or `cancelled`.
        done_bytes: on the disk.
        total_bytes: None until the server has said.
        bytes_per_s: over the last seconds; None where it does not run.
        eta_s: None where not known.
        error_message: in words, for `failed`, `stalled`, `retrying` and a `paused` that the program did by
            itself (disk full, network switched off), with the next step in error_hint.
        n_tries: connections opened so far.
        model: name of the model it became, once done.
        group: of files that belong together (parts, projector): the model is there when all are done.
    """

    id: str
    title: str
    repository: str
    revision: str
    name: str
    state: str
    done_bytes: int = 0
    total_bytes: int | None = None
    bytes_per_s: float | None = None
    eta_s: float | None = None
    error_code: str = ""
    error_message: str = ""
    error_hint: str = ""
    n_tries: int = 0
    sha256: str = ""
    model: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class DownloadList(Body):
    """Downloads, the newest last."""

    downloads: tuple[Download, ...]


@dataclass(frozen=True, kw_only=True)
class ListDownloads(Request[DownloadList]):
    """Ask for the downloads."""

    TYPE: ClassVar[str] = "download.list"
    RESULT: ClassVar[type[Body]] = DownloadList


@dataclass(frozen=True, kw_only=True)
class StartDownload(Request[DownloadList]):
    """Queue the download of a model; the result is its downloads (parts and projector included).

    Errors: `network.off`, `download.no_space` (with figures), `download.bad_name`, `download.exists`,
    `model.not_found` (no such catalogue id), `download.no_file` (none is named and none recommended),
    `download.incomplete` (the repository lacks a part), `download.no_checksum`, `hub.no_file`, and those of
    ListHubFiles. The same wish again gives the unfinished downloads of the first, and goes on with them.

    Attributes:
        model: id of the catalogue, or `owner/name` of a repository on the hub.
        file: path inside the repository; empty: the one recommended for this machine (catalogue only).
        revision: empty: the catalogue's, or the newest.
    """

    TYPE: ClassVar[str] = "download.start"
    RESULT: ClassVar[type[Body]] = DownloadList
    model: str
    file: str = ""
    revision: str = ""


@dataclass(frozen=True, kw_only=True)
class PauseDownload(Request[Empty]):
    """Stop a download and keep what has come; empty: all."""

    TYPE: ClassVar[str] = "download.pause"
    RESULT: ClassVar[type[Body]] = Empty
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class ResumeDownload(Request[Empty]):
    """Go on with a paused or failed download; empty: all paused ones."""

    TYPE: ClassVar[str] = "download.resume"
    RESULT: ClassVar[type[Body]] = Empty
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class CancelDownload(Request[Empty]):
    """End a download and delete what has come; one that has ended leaves the list."""

    TYPE: ClassVar[str] = "download.cancel"
    RESULT: ClassVar[type[Body]] = Empty
    id: str


@dataclass(frozen=True, kw_only=True)
class DownloadChanged(Body):
    """Event, at most four times a second for each: a download went on, changed its state or left the list."""

    TYPE: ClassVar[str] = "download.changed"
    download: Download
    removed: bool = False
