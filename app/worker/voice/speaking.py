"""Reading aloud: texts and samples become sound, in the order in which they were asked for."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UsageError
from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import PauseSound, Play, Say, SetVolume, Sound, StopSound, Synthesize
from app.protocol.system import Empty
from app.worker.runtime import LATER, Cancelled, Job, Later, Reply, next_arrival
from app.worker.voice.clip_queue import Clip
from app.worker.voice.playback import Outputs, Playback, Utterance
from app.worker.voice.ports import Samples
from app.worker.voice.resampling import resample
from app.worker.voice.synthesis import Voices

_NOTHING: Samples = np.empty(0, np.int16)
CHARACTERS_PER_S = 15.0
"""Of English speech; for what is still being made."""
RATES = (4_000, 192_000)


class Speaker:
    """Speaks and plays; the handlers of the worker's lanes, and the `ports.Loudspeaker` of its recorder.

    `synthesize`, `say` and `play` run in the lane of synthesis and end when their samples wait to be heard;
    the playing thread ends their requests. The others run in the lane of control, or in any thread.
    """

    def __init__(
        self,
        outputs: Outputs,
        on_interrupted: Callable[[], None],
        voices: Voices | None = None,
    ) -> None:
        """Take what opens loudspeakers, and whom to tell when a speaker was interrupted."""
        self._playback = Playback(outputs)
        self._on_interrupted = on_interrupted
        self._voices = voices or Voices()
        self._lock = self._playback.lock
        self._dropped_before = -1
        self._volume_set: tuple[int, float] = (-1, 1.0)
        self._is_making = False
        self._is_ending = False

    # -------------------------------------------------------------------------------------- requests

    def synthesize(self, request: Synthesize, job: Job) -> Reply:
        """Speak a text into samples."""
        voice = self._voices.get(request.voice_path)
        parts = list(voice.parts(request.text, request.speed, lambda: not job.cancelled.is_set()))
        job.raise_if_cancelled()
        samples = np.concatenate([_NOTHING, *parts])
        body = Sound(sample_rate=voice.sample_rate, n_samples=len(samples))
        return Reply(body, samples.astype("<i2").tobytes())

    def say(self, request: Say, job: Job) -> Later:
        """Speak a text through the loudspeaker, behind everything asked for before."""
        self._raise_if_dropped(job)
        with self._lock:
            self._is_making = True
        try:
            self._make(request, job)
        finally:
            with self._lock:
                self._is_making = False
        return LATER

    def _make(self, request: Say, job: Job) -> None:
        """Speak part by part; each can be heard while the next is made. Raises AppError, Cancelled."""
        hurry = not self._playback.is_waiting
        if hurry and (rate := self._voices.sample_rate(request.voice_path)):
            self._playback.prepare(request.device, rate)
        voice = self._voices.get(request.voice_path)
        utterance: Utterance | None = None

        def is_wanted() -> bool:
            return not self._is_dropped(job) and not (utterance is not None and utterance.is_dropped)

        try:
            for part in voice.parts(request.text, request.speed, is_wanted, hurry):
                if utterance is None:
                    expected_s = len(request.text) / CHARACTERS_PER_S / max(request.speed, 0.1)
                    utterance = self._add(job, part, voice.sample_rate, request, expected_s)
                else:
                    self._playback.append(utterance, part)
        except Exception as error:  # a clip that never becomes whole would keep all behind it waiting
            if utterance is None:
                raise
            self._playback.fail(utterance, error)
        if utterance is None:
            utterance = self._add(job, _NOTHING, voice.sample_rate, request, 0.0)
        self._playback.finish(utterance, request.pause_after_s)

    def play(self, request: Play, job: Job) -> Later:
        """Play samples, behind everything asked for before. Raises UsageError: `sound.bad_rate`."""
        if not RATES[0] <= request.sample_rate <= RATES[1]:
            raise UsageError(
                "sound.bad_rate",
                f"Sound of {request.sample_rate} samples a second cannot be played.",
                f"Give {RATES[0]:,} to {RATES[1]:,} samples a second.",
            )
        samples = np.frombuffer(job.payload[: len(job.payload) // 2 * 2], "<i2").astype(np.int16)
        self._playback.finish(self._add(job, samples, request.sample_rate, request, 0.0))
        return LATER

    def stop(self, _request: StopSound, job: Job) -> Empty:
        """Be silent at once and drop all that was asked for before; returns when it is silent."""
        self._drop_all(job.arrival)
        self._playback.wait_until_dropped()
        return Empty()

    def pause(self, request: PauseSound, _job: Job) -> Empty:
        """Be silent at once, or go on where it paused; what comes meanwhile waits too."""
        self._playback.pause(request.paused)
        return Empty()

    def set_volume(self, request: SetVolume, job: Job) -> Empty:
        """Change the volume of what is heard and of all that was asked for before."""
        volume = _between_0_and_1(request.volume)
        with self._lock:
            self._volume_set = (job.arrival, volume)
            self._playback.set_volume(volume)
        return Empty()

    def end(self) -> None:
        """Be silent and close the loudspeaker; the worker ends. Any thread."""
        with self._lock:
            self._is_ending = True
        self._playback.end()

    # ----------------------------------------------------------------------------------- loudspeaker

    @property
    def is_sounding(self) -> bool:
        """Whether something is heard at this moment (not paused, not silent between sentences)."""
        return self._playback.is_sounding

    def now(self) -> int:
        """See `ports.TimeLine`."""
        return self._playback.now()

    def heard(self, first: int, n_samples: int) -> NDArray[np.float32]:
        """See `ports.TimeLine`."""
        return self._playback.heard(first, n_samples)

    def interrupt(self) -> bool:
        """Be silent at once because somebody speaks; give whether anything was heard. Any thread.

        What was being read or made ends as cancelled. A pause stays as it is: nothing is heard then.
        """
        with self._lock:
            was_heard = not self._playback.is_paused and (self._playback.is_waiting or self._is_making)
        if was_heard:
            self._drop_all(next_arrival())
            self._on_interrupted()
        return was_heard

    # --------------------------------------------------------------------------------------- ordering

    def _drop_all(self, arrival: int) -> None:
        with self._lock:
            self._dropped_before = max(self._dropped_before, arrival)
            self._playback.drop(arrival)

    def _is_dropped(self, job: Job) -> bool:
        return job.cancelled.is_set() or job.arrival < self._dropped_before or self._is_ending

    def _raise_if_dropped(self, job: Job) -> None:
        if self._is_dropped(job):
            raise Cancelled

    def _add(
        self, job: Job, samples: Samples, rate: int, request: Say | Play, expected_s: float
    ) -> Utterance:
        """Put samples behind the others, unless they were dropped before they came. Raises Cancelled."""
        at_speech_rate = resample(samples, rate, SPEECH_RATE)
        with self._lock:
            self._raise_if_dropped(job)
            set_at, volume = self._volume_set
            if job.arrival > set_at:
                volume = _between_0_and_1(request.volume)
            clip = Clip(samples, rate, volume, 0, at_speech_rate, request.device, is_whole=False)
            return self._playback.add(job, clip, expected_s)


def _between_0_and_1(volume: float) -> float:
    return min(max(volume, 0.0), 1.0)
