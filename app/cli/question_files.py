"""Files that belong to a question on the command line: images, a JSON schema, a grammar."""

import json
from pathlib import Path
from typing import Any

from app.cli.arguments import absolute_path
from app.client import HostClient
from app.core.errors import FileError, UsageError
from app.protocol.chat import AttachImage, ImageAttachment

MAX_DEPTH = 128  # twice what the worker takes: a schema's own levels and those of `properties`
MAX_TEXT_BYTES = 1024 * 1024
MAX_IMAGE_BYTES = 64 * 1024 * 1024  # the host's own limit is lower and told in its words


async def attached(client: HostClient, path: str) -> ImageAttachment:
    """Hand an image file to the host.

    Raises:
        AppError: `file.unreadable`, or the host's reasons.
    """
    data = _read(path, MAX_IMAGE_BYTES, "image.too_large")
    return await client.call(AttachImage(name=Path(path).name), data)


def schema(path: str) -> dict[str, Any]:
    """Read a JSON schema.

    Raises:
        AppError: `file.unreadable`, `file.too_large`, `schema.bad`.
    """
    try:
        value = json.loads(text(path))
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError as error:
        raise UsageError(
            "schema.bad", f"{path} is not JSON: {error}.", "Give a file with one JSON schema."
        ) from error
    if not isinstance(value, dict):
        raise UsageError(
            "schema.bad", f"{path} holds no JSON object.", "Give a file with one JSON schema, an object."
        )
    if _is_deeper(value, MAX_DEPTH):
        raise _too_deep(path)
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether objects and lists stand in each other to more than a depth."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_is_deeper(item, depth - 1) for item in inside)


def _too_deep(path: str) -> UsageError:
    return UsageError("schema.bad", f"{path} is nested too deeply.", "Describe the answer more simply.")


def text(path: str) -> str:
    """Read a small text file.

    Raises:
        AppError: `file.unreadable`, `file.too_large`.
    """
    try:
        return _read(path, MAX_TEXT_BYTES, "file.too_large").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            "file.unreadable", f"{path} is not text in UTF-8.", "Save it as plain text in UTF-8."
        ) from error


def _read(path: str, most_bytes: int, too_large: str) -> bytes:
    try:
        with Path(absolute_path(path)).open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise FileError(
            "file.unreadable",
            f"{path} cannot be read: {error.strerror}.",
            "Check the name and that you may read it.",
        ) from error
    if len(data) > most_bytes:
        raise FileError(
            too_large,
            f"{path} is larger than {most_bytes // 1024**2} MB.",
            "Give a smaller file.",
        )
    return data
