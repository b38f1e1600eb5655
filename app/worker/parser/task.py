"""One file's reading as a task: a result or a refusal, whatever a parser raises."""

import os
from collections.abc import Callable

from app.worker.parser.frames import Extract, progress_frame, refusal_frame, result_frames
from app.worker.parser.reasons import Refusal, size_words
from app.worker.parser.result import ParserLimits
from app.worker.parser.source import Source

Reader = Callable[[Source], Extract]

_OUT_OF_MEMORY_WORDS = ("malloc", "calloc", "realloc", "out of memory")


def answer(source: Source, read: Reader, write: Callable[[bytes], None]) -> None:
    """Read one file and write the frames of its result or refusal."""
    try:
        write(progress_frame(0.0))  # the file's clock starts here, not with the process
        outcome = attempt(source, read)
        if isinstance(outcome, Refusal):
            write(refusal_frame(outcome))
        else:
            for data in result_frames(outcome):
                write(data)
    except MemoryError:  # the result itself did not fit
        write(refusal_frame(_out_of_memory(source.limits)))
    except ConnectionError:
        return  # nobody waits any longer


def attempt(source: Source, read: Reader) -> Extract | Refusal:
    """Read one file.

    The border of a task: whatever a parser raises on hostile bytes ends this file alone.
    """
    try:
        return read(source)
    except Refusal as refusal:
        return refusal
    except MemoryError:
        return _out_of_memory(source.limits)
    except ConnectionError:  # from reporting progress: nobody waits any longer
        raise
    except Exception as error:
        return _judge(error, source)


def _judge(error: Exception, source: Source) -> Refusal:
    text = str(error).lower()
    if any(words in text for words in _OUT_OF_MEMORY_WORDS):
        return _out_of_memory(source.limits)
    if os.fstat(source.fd).st_size != source.size_bytes:
        return Refusal("file.changed")
    return Refusal("file.damaged", {"kind": source.extension.upper() or "file"})


def _out_of_memory(limits: ParserLimits) -> Refusal:
    return Refusal("parser.memory", {"size": size_words(limits.memory_bytes)})
