"""Take the loudspeaker out of what the microphone hears, well enough to notice somebody speaking."""

import numpy as np

from app.worker.voice.activity import Waveform
from app.worker.voice.alignment import Alignment
from app.worker.voice.canceller import BLOCK, SPAN, Canceller
from app.worker.voice.ports import TimeLine
from app.worker.voice.residue import Residue


class EchoFilter:
    """Gives a microphone's sound without the loudspeaker's echo; one room, one pair of devices.

    Not every platform has an echo canceller in its sound system, so the program has its own. Three steps of
    16 ms blocks: `Alignment` finds what was played when a block was heard, `Canceller` takes out the echo
    that it has learnt to predict, and `Residue` what is left of it. What remains is for detecting speech, not
    for understanding it: the recording itself is untouched.
    """

    def __init__(self, loudspeaker: TimeLine) -> None:
        """Take what knows what the loudspeaker plays."""
        self._loudspeaker = loudspeaker
        self.alignment = Alignment()
        self.canceller = Canceller()
        self.residue = Residue()
        self.reset()

    def reset(self) -> None:
        """Begin a new recording; what is known about the room stays."""
        self._rest = np.zeros(0, np.float32)
        self.alignment.reset(is_known=self.canceller.n_learnt > 0)
        self.residue.reset()

    def feed(self, waveform: Waveform, somebody_speaks: bool) -> Waveform:
        """Take what the microphone heard; give what was not the loudspeaker, in whole blocks, 16 ms late.

        Args:
            waveform: what came now.
            somebody_speaks: as far as known.
        """
        self.alignment.count(len(waveform), self._loudspeaker.now())
        sound = np.concatenate([self._rest, waveform])
        n_whole = len(sound) // BLOCK * BLOCK
        self._rest = sound[n_whole:]
        cleaned = [
            self._cleaned(sound[at : at + BLOCK], len(sound) - at - BLOCK, somebody_speaks)
            for at in range(0, n_whole, BLOCK)
        ]
        return np.concatenate([np.zeros(0, np.float32), *cleaned])

    def _cleaned(self, heard: Waveform, n_behind: int, somebody_speaks: bool) -> Waveform:
        """Clean a block behind which so many samples have come."""
        end = self.alignment.number(n_behind)
        played = self._loudspeaker.heard(end - SPAN, SPAN)
        is_known = self.canceller.n_learnt > 0
        left, echo = self.canceller.step(played, heard, self.alignment.is_certain)
        if is_known:
            self.alignment.compare(played, heard, echo)
        trusted = self.alignment.is_certain and not self.canceller.is_off
        return self.residue.step(played, heard, left, echo, trusted, somebody_speaks)
