"""The loudspeaker's side of the worker: texts and samples, heard one behind the other."""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.errors import AppError, UsageError
from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import (
    PauseSound,
    Play,
    Say,
    SetVolume,
    Sound,
    SoundPlayed,
    SoundPosition,
    SoundStarted,
    StopSound,
    Synthesize,
)
from app.protocol.system import Empty
from app.worker.runtime import LATER, Cancelled, Job, Later, Reply, next_arrival
from app.worker.voice.clip_queue import Clip, ClipQueue
from app.worker.voice.ports import Samples
from app.worker.voice.resampling import resample
from app.worker.voice.sound_errors import Reason, reason_of, speaker_error
from app.worker.voice.synthesis import Voices

_NOTHING: Samples = np.empty(0, np.int16)
CHARACTERS_PER_S = 15.0
"""Of English speech; for what is still being made."""
RATES = (4_000, 192_000)
STEP_S = 0.03
RESTING_S = 0.5
POSITION_S = 0.1
IDLE_S = 1.0
"""The stream stays open this long behind the last sound, for the next sentence, and in a pause."""
AHEAD_S = 0.1
LEAD_S = 0.04
"""Silence at the start of a stream: some systems swallow the first moment."""
STALLED_S = 3.0
"""A loudspeaker that asks for nothing this long has gone."""
_PATIENCE_S = 2.0


class Output(Protocol):
    """An open loudspeaker, see `devices.OpenLoudspeaker`."""

    @property
    def sample_rate(self) -> int:
        """Samples a second that it takes."""

    def start(self) -> None:
        """Begin to ask for samples. Raises AppError."""

    def abort(self) -> None:
        """Be silent at once; it can be started again."""

    def close(self) -> None:
        """Close it."""

    def is_lost(self) -> bool:
        """Whether it has gone."""


class Outputs(Protocol):
    """Opens loudspeakers, see `devices.SoundSystem`."""

    def open_loudspeaker(self, device: str, sample_rate: int, callback: Callable[..., None]) -> Output:
        """Open one. Raises AppError."""


@dataclass(eq=False)
class _Utterance:
    """A request whose sound waits or is heard.

    Attributes:
        sample_rate: as asked for, before the clip was fitted to the loudspeaker.
        clip: in the queue, fitted to the loudspeaker's rate.
        expected_s: how long it will be, as far as can be told from the text.
        is_dropped: it is to end, as cancelled or with `failure`.
        failure: why no more of it can be made.
        is_started: SoundStarted was sent.
        told_at: when the last position was sent.
    """

    job: Job
    sample_rate: int
    clip: Clip
    expected_s: float
    is_dropped: bool = False
    failure: Exception | None = None
    is_started: bool = False
    told_at: float = 0.0

    @property
    def seconds(self) -> float:
        """Length of what is there."""
        return len(self.clip.samples) / self.clip.sample_rate


class Speaker:
    """Speaks and plays through one loudspeaker at a time.

    `synthesize`, `say` and `play` run in the lane of synthesis and end when their samples wait in the queue;
    one thread, which lives while there is something to do, opens the loudspeaker, watches it and ends the
    requests. Everything that is shared is guarded by one lock, which is never held during a call of the sound
    system: its own thread takes it to fill a buffer.
    """

    def __init__(
        self,
        outputs: Outputs,
        on_interrupted: Callable[[], None],
        voices: Voices | None = None,
    ) -> None:
        """Take what opens loudspeakers, and whom to tell when a speaker was interrupted."""
        self._outputs = outputs
        self._on_interrupted = on_interrupted
        self._voices = voices or Voices()
        self._lock = threading.Condition()
        self._queue = ClipQueue()
        self._utterances: list[_Utterance] = []
        self._dropped_before = -1
        self._volume_set: tuple[int, float] = (-1, 1.0)
        self._is_paused = False
        self._is_making = False
        self._is_ending = False
        self._thread: threading.Thread | None = None
        self._filled_at = 0.0
        # Used by the playing thread alone:
        self._output: Output | None = None
        self._output_key = ("", 0)
        self._is_running = False
        self._idle_since: float | None = None

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
            hurry = not self._utterances
        try:
            self._make(request, job, hurry)
        finally:
            with self._lock:
                self._is_making = False
        return LATER

    def _make(self, request: Say, job: Job, hurry: bool) -> None:
        """Speak part by part; each can be heard while the next is made. Raises AppError, Cancelled."""
        voice = self._voices.get(request.voice_path)
        utterance: _Utterance | None = None

        def is_wanted() -> bool:
            return not self._is_dropped(job) and not (utterance is not None and utterance.is_dropped)

        try:
            for part in voice.parts(request.text, request.speed, is_wanted, hurry):
                if utterance is None:
                    seconds = len(request.text) / CHARACTERS_PER_S / max(request.speed, 0.1)
                    utterance = self._add(job, part, voice.sample_rate, request, seconds)
                else:
                    self._append(utterance, part)
        except Exception as error:  # a clip that never becomes whole would keep all behind it waiting
            if utterance is None:
                raise
            with self._lock:
                utterance.failure, utterance.is_dropped = error, True
        if utterance is None:
            utterance = self._add(job, _NOTHING, voice.sample_rate, request, 0.0)
        with self._lock:
            clip = utterance.clip
            clip.is_whole = True
            clip.n_quiet = (
                round(max(request.pause_after_s, 0.0) * clip.sample_rate) if len(clip.samples) else 0
            )
            self._lock.notify_all()

    def play(self, request: Play, job: Job) -> Later:
        """Play samples, behind everything asked for before. Raises UsageError: `sound.bad_rate`."""
        if not RATES[0] <= request.sample_rate <= RATES[1]:
            raise UsageError(
                "sound.bad_rate",
                f"Sound of {request.sample_rate} samples a second cannot be played.",
                f"Give {RATES[0]:,} to {RATES[1]:,} samples a second.",
            )
        samples = np.frombuffer(job.payload[: len(job.payload) // 2 * 2], "<i2").astype(np.int16)
        utterance = self._add(job, samples, request.sample_rate, request, len(samples) / request.sample_rate)
        with self._lock:
            utterance.clip.is_whole = True
            self._lock.notify_all()
        return LATER

    def stop(self, _request: StopSound, job: Job) -> Empty:
        """Be silent at once and drop all that was asked for before; returns when it is silent."""
        self._drop_all(job.arrival)
        with self._lock:
            self._lock.wait_for(lambda: not any(each.is_dropped for each in self._utterances), _PATIENCE_S)
        return Empty()

    def pause(self, request: PauseSound, _job: Job) -> Empty:
        """Be silent at once, or go on where it paused; what comes meanwhile waits too."""
        with self._lock:
            self._is_paused = request.paused
            self._lock.notify_all()
        return Empty()

    def set_volume(self, request: SetVolume, job: Job) -> Empty:
        """Change the volume of what is heard and of all that was asked for before."""
        volume = _between_0_and_1(request.volume)
        with self._lock:
            self._volume_set = (job.arrival, volume)
            for utterance in self._utterances:
                utterance.clip.volume = volume
        return Empty()

    def end(self) -> None:
        """Be silent and close the loudspeaker; the worker ends. Any thread."""
        with self._lock:
            self._is_ending = True
            for utterance in self._utterances:
                utterance.is_dropped = True
            self._lock.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=_PATIENCE_S)

    # ----------------------------------------------------------------------------------- loudspeaker

    @property
    def is_sounding(self) -> bool:
        """Whether something is heard at this moment (not paused, not silent between sentences)."""
        with self._lock:
            return not self._is_paused and self._queue.is_sounding(time.monotonic())

    def recent(self, seconds: float) -> NDArray[np.float32]:
        """Give what was sent to the loudspeaker last, -1 to 1, 16,000 a second; zeros where it was quiet.

        It ends a moment ahead of what is heard by the sound system's account, which is not exact.
        """
        with self._lock:
            return self._queue.recent(seconds, time.monotonic() + AHEAD_S)

    def interrupt(self) -> bool:
        """Be silent at once because somebody speaks; give whether anything was heard. Any thread.

        What was being read or made ends as cancelled. A pause stays as it is: nothing is heard then.
        """
        with self._lock:
            was_heard = not self._is_paused and (bool(self._utterances) or self._is_making)
        if was_heard:
            self._drop_all(next_arrival())
            self._on_interrupted()
        return was_heard

    def _drop_all(self, arrival: int) -> None:
        with self._lock:
            self._dropped_before = max(self._dropped_before, arrival)
            self._is_paused = False
            for utterance in self._utterances:
                if utterance.job.arrival < arrival:
                    utterance.is_dropped = True
            self._lock.notify_all()

    # --------------------------------------------------------------------------------------- queueing

    def _is_dropped(self, job: Job) -> bool:
        return job.cancelled.is_set() or job.arrival < self._dropped_before or self._is_ending

    def _raise_if_dropped(self, job: Job) -> None:
        if self._is_dropped(job):
            raise Cancelled

    def _add(
        self, job: Job, samples: Samples, rate: int, request: Say | Play, expected_s: float
    ) -> _Utterance:
        """Put samples into the queue; more may follow until the clip is whole. Raises Cancelled."""
        at_speech_rate = resample(samples, rate, SPEECH_RATE)
        with self._lock:
            self._raise_if_dropped(job)
            set_at, volume = self._volume_set
            if job.arrival > set_at:
                volume = _between_0_and_1(request.volume)
            clip = Clip(samples, rate, volume, 0, at_speech_rate, request.device, is_whole=False)
            utterance = _Utterance(job, rate, clip, expected_s)
            self._queue.add(clip)
            self._utterances.append(utterance)
            job.on_cancel = functools.partial(self._cancel, utterance)
            utterance.is_dropped = job.cancelled.is_set()  # it may have come a moment ago
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="loudspeaker", daemon=True)
                self._thread.start()
            self._lock.notify_all()
            return utterance

    def _append(self, utterance: _Utterance, samples: Samples) -> None:
        """Put more samples behind those of an utterance."""
        at_speech_rate = resample(samples, utterance.sample_rate, SPEECH_RATE)
        with self._lock:
            clip = utterance.clip
            clip.append(resample(samples, utterance.sample_rate, clip.sample_rate), at_speech_rate)

    def _cancel(self, utterance: _Utterance) -> None:
        with self._lock:
            utterance.is_dropped = True
            self._lock.notify_all()

    # ---------------------------------------------------------------------------------------- playing

    def _run(self) -> None:
        """Play until nothing is left and the loudspeaker is closed. The playing thread."""
        while True:
            self._end_dropped()
            try:
                self._play_on()
            except AppError as error:
                self._fail(error)
            except Exception as error:  # the border of this thread: the sound system may raise anything
                self._fail(speaker_error(reason_of(error), error))
            self._tell()
            self._close_when_idle()
            with self._lock:
                if self._output is None and not self._utterances:
                    self._thread = None
                    self._lock.notify_all()
                    return
                if not any(each.is_dropped for each in self._utterances):
                    self._lock.wait(RESTING_S if self._is_paused and not self._is_running else STEP_S)

    def _end_dropped(self) -> None:
        """Silence what was dropped, and end its requests."""
        with self._lock:
            dropped = [each for each in self._utterances if each.is_dropped]
            if not dropped:
                return
            must_stop = any(each.clip.written > 0 for each in dropped)
        if must_stop:
            self._halt()
        with self._lock:
            for utterance in dropped:
                self._queue.remove(utterance.clip)
                self._utterances.remove(utterance)
            if not self._utterances:
                self._queue.clear()  # the silence behind a sentence that was heard
            self._lock.notify_all()
        for utterance in dropped:
            utterance.job.end_with_error(utterance.failure or Cancelled())

    def _halt(self) -> None:
        """Be silent at once; what was written and not heard will be written again."""
        if self._output is not None and self._is_running:
            self._output.abort()
        self._is_running = False
        with self._lock:
            self._queue.rewind(time.monotonic())

    def _play_on(self) -> None:
        """Open, start, pause and watch the loudspeaker, as the queue asks for. Raises AppError."""
        with self._lock:
            is_paused = self._is_paused
            head = self._queue.next_clip()
            utterance = next((each for each in self._utterances if each.clip is head), None)
            is_stalled = self._is_running and time.monotonic() - self._filled_at > STALLED_S
        if self._is_running and self._output is not None and (is_stalled or self._output.is_lost()):
            raise speaker_error(Reason.LOST)
        if is_paused:
            if self._is_running:
                self._halt()
            return
        if utterance is not None:
            self._open_for(utterance)
        if head is not None and self._output is not None and not self._is_running:
            with self._lock:
                self._queue.restart(self._output.sample_rate, self._output_key[0], LEAD_S)
                self._filled_at = time.monotonic()
            self._output.start()
            self._is_running = True

    def _open_for(self, utterance: _Utterance) -> None:
        """Have the loudspeaker open that an utterance is for, at its rate where that is taken."""
        key = (utterance.clip.device, utterance.sample_rate)
        if self._output is None or key != self._output_key:
            self._close()
            self._output = self._outputs.open_loudspeaker(*key, self._fill)
            self._output_key = key
        self._fit(self._output.sample_rate)

    def _fit(self, rate: int) -> None:
        """Bring the clips that this loudspeaker will play to its rate."""
        with self._lock:
            waiting = [
                each
                for each in self._utterances
                if (each.clip.device, each.sample_rate) == self._output_key and each.clip.sample_rate != rate
            ]
            for utterance in waiting:
                clip = utterance.clip
                clip.samples = resample(clip.samples, clip.sample_rate, rate)
                clip.n_quiet = round(clip.n_quiet * rate / clip.sample_rate)
                clip.sample_rate = rate

    def _fill(self, data: Any, n_frames: int, timing: Any, _status: Any) -> None:
        """Fill a buffer; called by the sound system in its own thread."""
        now = time.monotonic()
        wait_s = min(max(timing.outputBufferDacTime - timing.currentTime, 0.0), 2.0)
        with self._lock:
            self._filled_at = now
            samples = self._queue.fill(n_frames, wait_s, now)
        data[:] = samples.tobytes()

    def _tell(self) -> None:
        """Report what began, how far it is, and what was heard to its end."""
        now = time.monotonic()
        ended: list[_Utterance] = []
        with self._lock:
            if self._is_running:
                self._queue.advance(now)
            while self._utterances and self._utterances[0].clip.is_heard:
                ended.append(self._utterances.pop(0))
            reports = [*ended, *self._utterances[:1]]
            self._lock.notify_all()
        for utterance in reports:
            self._tell_of(utterance, now)
        for utterance in ended:
            utterance.job.end(SoundPlayed(seconds=utterance.seconds))

    def _tell_of(self, utterance: _Utterance, now: float) -> None:
        clip = utterance.clip
        if not utterance.is_started and clip.written:
            utterance.is_started = True
            utterance.told_at = now
            seconds = utterance.seconds if clip.is_whole else max(utterance.seconds, utterance.expected_s)
            utterance.job.progress(SoundStarted(seconds=seconds))
        elif utterance.is_started and now - utterance.told_at >= POSITION_S:
            utterance.told_at = now
            heard = min(clip.heard, len(clip.samples))
            utterance.job.progress(SoundPosition(seconds=heard / clip.sample_rate))

    def _fail(self, error: AppError) -> None:
        """End all that waits for this loudspeaker with a reason, and close it."""
        self._is_running = False
        self._close()
        with self._lock:
            failed = [(each, Cancelled() if each.is_dropped else error) for each in self._utterances]
            for utterance, _ in failed:
                utterance.is_dropped = True  # no more of it is made
            self._utterances.clear()
            self._queue.rewind(time.monotonic())
            self._queue.clear()
            self._is_paused = False
            self._lock.notify_all()
        for utterance, reason in failed:
            utterance.job.end_with_error(reason)

    def _close_when_idle(self) -> None:
        now = time.monotonic()
        with self._lock:
            is_idle = not self._utterances or (self._is_paused and not self._is_running)
            is_ending = self._is_ending
        if not is_idle:
            self._idle_since = None
        elif self._idle_since is None and not is_ending:
            self._idle_since = now
        elif is_ending or now - (self._idle_since or now) >= IDLE_S:
            self._close()

    def _close(self) -> None:
        if self._output is not None:
            self._output.close()
        self._output = None
        self._is_running = False
        self._idle_since = None


def _between_0_and_1(volume: float) -> float:
    return min(max(volume, 0.0), 1.0)
