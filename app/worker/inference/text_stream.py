"""From the bytes of tokens to text that can be shown: whole code points, nothing of a stop string, paced."""

import codecs
from collections.abc import Callable, Sequence

TEXT_INTERVAL_S = 0.1
"""Between messages with text of an answer; in each stand the tokens that came meanwhile.

A message costs the host and the front end 0.9 ms on the cores that generate (2.8 % of the speed at 30 a
second). A token waits at most for the next one, and only while tokens come faster than this.
"""


class TextStream:
    """Decodes the bytes of one answer as they come.

    Attributes:
        stopped: a stop string was met; it and what follows are left out.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        """Take the stop strings; empty ones are ignored."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self._parts: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """All text given out so far."""
        return "".join(self._parts)

    def feed(self, piece: bytes) -> str:
        """Take a token's bytes; give the text that is certain now (maybe none)."""
        if self.stopped:
            return ""
        text = self._held + self._decoder.decode(piece)
        if not self._stop:
            return self._give(text)
        end = min((at for stop in self._stop if (at := text.find(stop)) >= 0), default=-1)
        if end >= 0:
            self.stopped, self._held = True, ""
            return self._give(text[:end])
        n_held = max(_n_begun(text, stop) for stop in self._stop)
        self._held = text[len(text) - n_held :]
        return self._give(text[: len(text) - n_held])

    def finish(self) -> str:
        """Give what was held back; a code point cut short by the end is left out."""
        held, self._held = self._held, ""
        return "" if self.stopped else self._give(held)

    def _give(self, text: str) -> str:
        if text:
            self._parts.append(text)
        return text


class TextSender:
    """Sends the text of one answer as it comes, at most every TEXT_INTERVAL_S."""

    def __init__(self, stop: Sequence[str], send: Callable[[str], None]) -> None:
        """Take the stop strings and what gets the text."""
        self._stream, self._send = TextStream(stop), send
        self._pending: list[str] = []
        self._sent_s = float("-inf")

    @property
    def text(self) -> str:
        """All text so far, sent or not."""
        return self._stream.text

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stream.stopped

    def feed(self, piece: bytes, now_s: float) -> None:
        """Take a token's bytes; send what is certain, unless something was sent just before."""
        text = self._stream.feed(piece)
        if text:
            self._pending.append(text)
        if self._pending and now_s - self._sent_s >= TEXT_INTERVAL_S:
            self._sent_s = now_s
            self._send_pending()

    def finish(self) -> None:
        """Send the text that is left."""
        self._pending.append(self._stream.finish())
        self._send_pending()

    def _send_pending(self) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        if text:
            self._send(text)


def _n_begun(text: str, stop: str) -> int:
    """Give how many characters at the end of the text could be the beginning of the stop string."""
    for n in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:n]):
            return n
    return 0
