"""Names on the model hub: which may become files here, and what they tell.

Everything from the hub is untrusted text: a name that could leave the models folder, or that some system
keeps for itself, is refused, never mended.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.core.errors import UsageError

MAX_NAME_BYTES = 180  # file systems take 255; room for a number and for other programs' endings
_FORBIDDEN = frozenset('<>:"/\\|?*')
# Source: "Naming Files, Paths, and Namespaces", learn.microsoft.com; the raised digits count as digits.
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789¹²³"}
)
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf", re.IGNORECASE)
_QUANTIZATION = re.compile(
    r"(?:^|[-_.])(?P<name>(?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|T?Q\d_\d|BF16|FP?16|FP?32|MXFP4(?:_MOE)?))(?=[-.]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Part:
    """Which part of a split model a file is.

    Attributes:
        stem: the name that the parts share.
        number: from 1.
    """

    stem: str
    number: int
    total: int


def checked_repository(text: str) -> str:
    """Give a repository's name `owner/name`.

    Raises:
        UsageError: `hub.bad_name`.
    """
    if not _REPOSITORY.fullmatch(text) or ".." in text or "--" in text:
        raise UsageError(
            "hub.bad_name",
            "This is not the name of a repository.",
            "It reads owner/name, as on the hub's page.",
        )
    return text


def checked_revision(text: str) -> str:
    """Give a revision: a commit, a branch or a tag; empty stays empty.

    Raises:
        UsageError: `hub.bad_name`.
    """
    if text and (not _REVISION.fullmatch(text) or ".." in text or "//" in text):
        raise UsageError(
            "hub.bad_name", "This is not a version of a repository.", "Leave it out for the newest."
        )
    return text


def checked_file_name(path: str) -> str:
    """Give the name that a file of a repository gets here: the last part of its path.

    Raises:
        UsageError: `download.bad_name`: the path climbs, is absolute, or the name is one that this or another
            system cannot hold or keeps for itself.
    """
    parts = path.split("/")
    if not all(_is_good(part) for part in parts) or len(parts) > 10:
        raise UsageError(
            "download.bad_name",
            f"The file's name “{printable(path, 80)}” is not one that can be stored safely.",
            "Choose another file of this model.",
        )
    return parts[-1]


def _is_good(name: str) -> bool:
    return (
        bool(name)
        and name.isprintable()
        and not _FORBIDDEN & set(name)
        and not name.startswith((".", " ", "~", "-"))
        and not name.endswith((".", " "))
        and name.split(".")[0].rstrip(" ").casefold() not in _RESERVED
        and _n_bytes(name) <= MAX_NAME_BYTES
    )


def _n_bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


def printable(text: str, limit: int = 200) -> str:
    """Make one printable line of untrusted text, at most `limit` characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def part_of(path: str) -> Part | None:
    """Tell which part of a split model a file is; None for a whole one."""
    found = _PART.fullmatch(path)
    if found is None:
        return None
    number, total = int(found["number"]), int(found["total"])
    return Part(found["stem"], number, total) if 1 <= number <= total and total > 1 else None


def parts_of(path: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Give the paths of all parts in order of the split model that `path` is a part of; else only itself.

    Raises:
        UsageError: `download.incomplete`: the repository lacks a part.
    """
    wanted = part_of(path)
    if wanted is None:
        return (path,)
    found = {part.number: other for other in paths if (part := part_of(other)) and _same(part, wanted)}
    if len(found) != wanted.total:
        raise UsageError(
            "download.incomplete",
            f"The repository has only {len(found)} of the {wanted.total} parts of this model.",
            "Choose another file.",
        )
    return tuple(found[number] for number in sorted(found))


def _same(part: Part, other: Part) -> bool:
    return (part.stem, part.total) == (other.stem, other.total)


def is_projector(path: str) -> bool:
    """Whether a file is a vision model's projector, by the name that everybody gives it."""
    name = PurePosixPath(path).name.casefold()
    return "mmproj" in name and name.endswith(".gguf")


def quantization_of(path: str) -> str:
    """Read the quantization out of a file's name (`Q4_K_M`); empty where it tells none."""
    part = part_of(path)
    name = PurePosixPath(part.stem if part else path.removesuffix(".gguf")).name
    found = list(_QUANTIZATION.finditer(name))
    return found[-1]["name"].upper() if found else ""
