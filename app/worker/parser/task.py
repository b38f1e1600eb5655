"""One file's reading as a task: a result or a refusal, whatever a parser raises."""

import os
from collections.abc import Callable

from app.worker.parser.frames import Extract, refusal_frame, result_frames
from app.worker.parser.reasons import Refusal, size_words
from app.worker.parser.result import ParserLimits
from app.worker.parser.source import Source

Reader = Callable[[Source], Extract]

_OUT_OF_MEMORY_WORDS = ("malloc", "calloc", "realloc", "out of memory")


def answer(source: Source, read: Reader, write: Callable[[bytes], None]) -> bool:
    """Read one file and write its frames; tell whether it ended in a result.

    The border of a task: whatever a parser raises on hostile bytes ends this file alone.
    """
    try:
        extract = read(source)
        for data in result_frames(extract):
            write(data)
    except Refusal as refusal:
        write(refusal_frame(refusal))
        return False
    except MemoryError:
        write(refusal_frame(_out_of_memory(source.limits)))
        return False
    except (BrokenPipeError, ConnectionError):
        return False  # nobody waits any longer
    except Exception as error:
        write(refusal_frame(_judge(error, source)))
        return False
    return True


def _judge(error: Exception, source: Source) -> Refusal:
    text = str(error).lower()
    if any(words in text for words in _OUT_OF_MEMORY_WORDS):
        return _out_of_memory(source.limits)
    if os.fstat(source.fd).st_size != source.size_bytes:
        return Refusal("file.changed")
    return Refusal("file.damaged", {"kind": source.extension.upper() or "file"})


def _out_of_memory(limits: ParserLimits) -> Refusal:
    return Refusal("parser.memory", {"size": size_words(limits.memory_bytes)})
