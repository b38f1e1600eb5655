"""The parser process where fork does not exist: reads one file after another from standard input.

A request is a length, a JSON object `{name, limits, size}` and the file's bytes, which go into an unnamed
temporary file; the answer is frames on standard output. The library worker ends this process by force at a
limit, and replaces it after a failure and after `FILES_PER_PROCESS` files.
"""

import json
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from app.worker.parser.frames import progress_frame
from app.worker.parser.result import ParserLimits
from app.worker.parser.source import Source
from app.worker.parser.task import Reader, answer

FILES_PER_PROCESS = 50

_LENGTH = struct.Struct("<I")
_CHUNK_BYTES = 1024 * 1024


def request_head(name: str, size_bytes: int, limits: ParserLimits) -> bytes:
    """Give the bytes that announce a file; its content follows them."""
    body = json.dumps({"name": name, "size": size_bytes, "limits": vars(limits)}).encode()
    return _LENGTH.pack(len(body)) + body


def serve(read: Reader) -> int:
    """Answer requests until standard input ends; return the exit code."""
    requests, answers = _take_stdio()
    for _ in range(FILES_PER_PROCESS):
        head = requests.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            break
        request = json.loads(requests.read(_LENGTH.unpack(head)[0]))
        with tempfile.TemporaryFile() as copy:
            _copy(requests, copy, request["size"])
            _answer(copy, request, read, answers)
    return 0


def _answer(copy: BinaryIO, request: dict[str, object], read: Reader, answers: BinaryIO) -> None:
    def write(data: bytes) -> None:
        answers.write(data)
        answers.flush()

    limits = request["limits"]
    assert isinstance(limits, dict)
    source = Source(
        copy.fileno(),
        str(request["name"]),
        ParserLimits(**limits),
        report=lambda fraction: write(progress_frame(fraction)),
    )
    answer(source, read, write)


def _copy(requests: BinaryIO, copy: BinaryIO, size_bytes: int) -> None:
    while size_bytes > 0:
        data = requests.read(min(_CHUNK_BYTES, size_bytes))
        if not data:
            return
        copy.write(data)
        size_bytes -= len(data)
    copy.flush()


def _take_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Keep both streams for the protocol and point fd 1 at nothing, because parsers print, also user text."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # stays open
    return sys.stdin.buffer, answers
