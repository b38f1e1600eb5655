"""The thread that plays what waits to be heard, in order, through a loudspeaker that it opens and watches."""

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.errors import AppError
from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import SoundPlayed, SoundPosition, SoundStarted
from app.worker.runtime import Cancelled, Job
from app.worker.voice.clip_queue import Clip, ClipQueue
from app.worker.voice.ports import Samples
from app.worker.voice.resampling import Resampler, resample
from app.worker.voice.sound_errors import Reason, reason_of, speaker_error

log = logging.getLogger(__name__)

STEP_S = 0.03
RESTING_S = 0.5
POSITION_S = 0.1
IDLE_S = 1.0
"""The stream stays open this long behind the last sound, for the next sentence, and in a pause."""
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
class Utterance:
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


class Playback:
    """Utterances, heard one behind the other; each ends its request when its last sample was heard.

    One thread, which lives while there is something to do, opens the loudspeaker, watches it and ends the
    requests. Everything that is shared is guarded by one lock, which is never held during a call of the sound
    system: its own thread takes it to fill a buffer. Any thread may call.

    Attributes:
        lock: guards it; held by a caller, several calls are one.
    """

    def __init__(self, outputs: Outputs) -> None:
        """Take what opens loudspeakers."""
        self.lock = threading.Condition()
        self._outputs = outputs
        self._queue = ClipQueue()
        self._utterances: list[Utterance] = []
        self._is_paused = False
        self._is_ending = False
        self._wanted_key: tuple[str, int] | None = None
        self._thread: threading.Thread | None = None
        self._filled_at = 0.0
        # Used by the playing thread alone:
        self._output: Output | None = None
        self._output_key = ("", 0)
        self._is_running = False
        self._idle_since: float | None = None

    # ---------------------------------------------------------------------------------------- filling

    def prepare(self, device: str, sample_rate: int) -> None:
        """Open the loudspeaker now, silent, for what is still being made; never waits.

        Closed again like any other where nothing comes. A loudspeaker that cannot be opened is told to what
        comes.
        """
        with self.lock:
            if not self._utterances and not self._is_ending:
                self._wanted_key = device, sample_rate
                self._need_thread()

    def _need_thread(self) -> None:
        """Have the playing thread running and awake; with the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="loudspeaker", daemon=True)
            self._thread.start()
        self.lock.notify_all()

    def add(self, job: Job, clip: Clip, expected_s: float) -> Utterance:
        """Put a clip behind the others; more samples may follow where it is not whole, until `finish`."""
        with self.lock:
            utterance = Utterance(job, clip.sample_rate, clip, expected_s)
            self._queue.add(clip)
            self._utterances.append(utterance)
            job.on_cancel = functools.partial(self._cancel, utterance)
            utterance.is_dropped = job.cancelled.is_set()  # it may have come a moment ago
            self._need_thread()
            return utterance

    def append(self, utterance: Utterance, samples: Samples) -> None:
        """Put more samples behind those of an utterance."""
        at_speech_rate = resample(samples, utterance.sample_rate, SPEECH_RATE)
        with self.lock:
            clip = utterance.clip
            clip.append(resample(samples, utterance.sample_rate, clip.sample_rate), at_speech_rate)

    def finish(self, utterance: Utterance, pause_s: float = 0.0) -> None:
        """No more samples follow, but so much silence."""
        with self.lock:
            clip = utterance.clip
            clip.is_whole = True
            clip.n_quiet = round(max(pause_s, 0.0) * clip.sample_rate) if len(clip.samples) else 0
            self.lock.notify_all()

    def fail(self, utterance: Utterance, error: Exception) -> None:
        """No more of it can be made: it ends with this error."""
        with self.lock:
            utterance.failure, utterance.is_dropped = error, True
            self.lock.notify_all()

    def _cancel(self, utterance: Utterance) -> None:
        with self.lock:
            utterance.is_dropped = True
            self.lock.notify_all()

    # ------------------------------------------------------------------------------------ controlling

    @property
    def is_waiting(self) -> bool:
        """Whether something is heard, or waits to be."""
        with self.lock:
            return bool(self._utterances)

    @property
    def is_paused(self) -> bool:
        """Whether it is silent until it goes on."""
        with self.lock:
            return self._is_paused

    @property
    def is_sounding(self) -> bool:
        """Whether something is heard at this moment (not paused, not silent between sentences)."""
        with self.lock:
            return not self._is_paused and self._queue.is_sounding(time.monotonic())

    @staticmethod
    def now() -> int:
        """See `ports.TimeLine`."""
        return round(time.monotonic() * SPEECH_RATE)

    def heard(self, first: int, n_samples: int) -> NDArray[np.float32]:
        """See `ports.TimeLine`."""
        with self.lock:
            return self._queue.heard(first, n_samples)

    def drop(self, arrival: int) -> None:
        """Be silent at once and end what was asked for before this place in the order of requests."""
        with self.lock:
            self._is_paused = False
            for utterance in self._utterances:
                if utterance.job.arrival < arrival:
                    utterance.is_dropped = True
            self.lock.notify_all()

    def wait_until_dropped(self) -> None:
        """Wait until all that was dropped has ended."""
        with self.lock:
            self.lock.wait_for(lambda: not any(each.is_dropped for each in self._utterances), _PATIENCE_S)

    def pause(self, paused: bool) -> None:
        """Be silent at once, or go on; what comes meanwhile waits too."""
        with self.lock:
            self._is_paused = paused
            self.lock.notify_all()

    def set_volume(self, volume: float) -> None:
        """Change the volume of all that is heard or waits."""
        with self.lock:
            for utterance in self._utterances:
                utterance.clip.volume = volume

    def end(self) -> None:
        """Be silent, close the loudspeaker and end the thread."""
        with self.lock:
            self._is_ending = True
            for utterance in self._utterances:
                utterance.is_dropped = True
            self.lock.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=_PATIENCE_S)

    # ---------------------------------------------------------------------------------------- playing

    def _run(self) -> None:
        """Play until nothing is left and the loudspeaker is closed. The playing thread."""
        while True:
            self._end_dropped()
            self._open_wanted()
            try:
                self._play_on()
            except AppError as error:
                self._end_all(error)
            except Exception as error:  # the border of this thread: the sound system may raise anything
                self._end_all(speaker_error(reason_of(error), error))
            self._tell()
            self._close_when_idle()
            with self.lock:
                if self._output is None and not self._utterances and self._wanted_key is None:
                    self._thread = None
                    self.lock.notify_all()
                    return
                if not any(each.is_dropped for each in self._utterances):
                    self.lock.wait(RESTING_S if self._is_paused and not self._is_running else STEP_S)

    def _open_wanted(self) -> None:
        """Open the loudspeaker that is wanted soon, and load what its samples pass through."""
        with self.lock:
            key, self._wanted_key = self._wanted_key, None
            if key is None or self._is_ending or self._is_paused:
                return
        try:
            self._open(key)
            self._idle_since = time.monotonic() + _PATIENCE_S  # it may take longer to make than to open
            Resampler(key[1], SPEECH_RATE)  # its library takes 60 ms to load
        except Exception as error:  # whatever it is, what comes meets it again and is told
            log.info("a loudspeaker was not opened ahead: %s", type(error).__name__)

    def _end_dropped(self) -> None:
        """Silence what was dropped, and end its requests."""
        with self.lock:
            dropped = [each for each in self._utterances if each.is_dropped]
            if not dropped:
                return
            must_stop = any(each.clip.written > 0 for each in dropped)
        if must_stop:
            self._halt()
        with self.lock:
            for utterance in dropped:
                self._queue.remove(utterance.clip)
                self._utterances.remove(utterance)
            if not self._utterances:
                self._queue.clear()  # the silence behind a sentence that was heard
            self.lock.notify_all()
        for utterance in dropped:
            utterance.job.end_with_error(utterance.failure or Cancelled())

    def _halt(self) -> None:
        """Be silent at once; what was written and not heard will be written again."""
        if self._output is not None and self._is_running:
            self._output.abort()
        self._is_running = False
        with self.lock:
            self._queue.rewind(time.monotonic())

    def _play_on(self) -> None:
        """Open, start, pause and watch the loudspeaker, as the queue asks for. Raises AppError."""
        with self.lock:
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
            with self.lock:
                self._queue.restart(self._output.sample_rate, self._output_key[0], LEAD_S)
                self._filled_at = time.monotonic()
            self._output.start()
            self._is_running = True

    def _open_for(self, utterance: Utterance) -> None:
        """Have the loudspeaker open that an utterance is for, at its rate where that is taken."""
        self._fit(self._open((utterance.clip.device, utterance.sample_rate)).sample_rate)

    def _open(self, key: tuple[str, int]) -> Output:
        """Have this device open for this rate, in place of another one. Raises AppError."""
        if self._output is None or key != self._output_key:
            self._close()
            self._output = self._outputs.open_loudspeaker(*key, self._fill)
            self._output_key = key
        return self._output

    def _fit(self, rate: int) -> None:
        """Bring the clips that this loudspeaker will play to its rate."""
        with self.lock:
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
        with self.lock:
            self._filled_at = now
            samples = self._queue.fill(n_frames, wait_s, now)
        data[:] = samples.tobytes()

    def _tell(self) -> None:
        """Report what began, how far it is, and what was heard to its end."""
        now = time.monotonic()
        ended: list[Utterance] = []
        with self.lock:
            if self._is_running:
                self._queue.advance(now)
            while self._utterances and self._utterances[0].clip.is_heard:
                ended.append(self._utterances.pop(0))
            reports = [*ended, *self._utterances[:1]]
            self.lock.notify_all()
        for utterance in reports:
            self._tell_of(utterance, now)
        for utterance in ended:
            utterance.job.end(SoundPlayed(seconds=utterance.seconds))

    def _tell_of(self, utterance: Utterance, now: float) -> None:
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

    def _end_all(self, error: AppError) -> None:
        """End all that waits for this loudspeaker with a reason, and close it."""
        self._is_running = False
        self._close()
        with self.lock:
            failed = [(each, Cancelled() if each.is_dropped else error) for each in self._utterances]
            for utterance, _ in failed:
                utterance.is_dropped = True  # no more of it is made
            self._utterances.clear()
            self._queue.rewind(time.monotonic())
            self._queue.clear()
            self._is_paused = False
            self.lock.notify_all()
        for utterance, reason in failed:
            utterance.job.end_with_error(reason)

    def _close_when_idle(self) -> None:
        now = time.monotonic()
        with self.lock:
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
