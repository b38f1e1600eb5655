"""Questions and queries: one from the command line, or one a line from standard input."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator

from app.cli.output import readable


async def texts(argument: str) -> AsyncIterator[str]:
    """Yield the argument itself, or for `-` each line of standard input as it comes.

    A daemon thread reads, so that the connection stays served and Ctrl+C ends the program while nobody types.
    """
    if argument != "-":
        yield readable(argument)
        return
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, nobody wants more lines
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\r\n"))
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="standard input", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line
