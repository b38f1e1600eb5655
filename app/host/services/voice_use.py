"""Who uses microphone, loudspeaker and the cores, so that signs are right and background work yields."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from app.host.services.ports import Events
from app.protocol.voice import VoiceActivity


class Sound(Protocol):
    """Something that is heard: a reading or a document's sound."""

    gone: asyncio.Event

    def end(self, ended_by: str) -> None:
        """Be silent soon, for that reason; the first reason counts."""


class VoiceUse:
    """What the voice part does at this moment; used by the loop's thread alone.

    Attributes:
        quiet: set while nobody talks to the program and no answer is being written.
        disturbed: set otherwise.
        sound: what is heard; None: nothing.
    """

    def __init__(self, events: Events) -> None:
        """Start with nothing."""
        self._events = events
        self._n_talking, self._n_open, self._answering = 0, 0, False
        self._told = VoiceActivity(microphone=False, sounding=False)
        self.quiet, self.disturbed = asyncio.Event(), asyncio.Event()
        self.quiet.set()
        self.sound: Sound | None = None

    @property
    def is_answering_only(self) -> bool:
        """Whether an answer is being written and nobody talks to the program."""
        return self._answering and not self._n_talking

    def on_answers(self, active: bool) -> None:
        """Take note that answers are being written, or that none is any more."""
        self._answering = active
        self._settle()

    @contextlib.contextmanager
    def talking(self) -> Iterator[None]:
        """Keep background work away until the context ends."""
        self._n_talking += 1
        self._settle()
        try:
            yield
        finally:
            self._n_talking -= 1
            self._settle()

    def opened(self, n_more: int) -> None:
        """Count open microphones up or down."""
        self._n_open += n_more
        self._tell()

    @contextlib.asynccontextmanager
    async def sounding(self, sound: Sound) -> AsyncIterator[None]:
        """Be what is heard until the context ends; whatever is heard now is stopped first."""
        while self.sound is not None:
            before = self.sound
            before.end("stopped")
            await before.gone.wait()
        self.sound = sound
        self._tell()
        try:
            yield
        finally:
            self.sound = None
            sound.gone.set()
            self._tell()

    def _settle(self) -> None:
        if self._n_talking or self._answering:
            self.quiet.clear()
            self.disturbed.set()
        else:
            self.disturbed.clear()
            self.quiet.set()

    def _tell(self) -> None:
        now = VoiceActivity(microphone=self._n_open > 0, sounding=self.sound is not None)
        if now != self._told:
            self._told = now
            self._events.publish(now)
