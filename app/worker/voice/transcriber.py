"""Understand sound that comes piece by piece: one transcription."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.protocol.speech import SpeechOptions, SpeechSegment, TranscriptPart
from app.worker.runtime import Cancelled
from app.worker.voice.activity import FRAME, FRAME_S, SPEECH_DOWN_TO, SPEECH_FROM, ModelDetector, Waveform
from app.worker.voice.cutting import Piece, next_piece, speech_stretches
from app.worker.voice.english import Evidence, without_rounds
from app.worker.voice.speech_model import SpeechModel, Utterance

_SURE_LANGUAGE = 0.5
_AROUND_S = 0.1
_QUIET_FRAMES = round(0.2 / FRAME_S)


@dataclass(frozen=True)
class _Understood:
    """A piece with its words.

    Attributes:
        segments: on the transcription's own time.
        n_frames: that the waiting sound had then.
        speech_s: how much of it was speech.
    """

    segments: tuple[SpeechSegment, ...]
    utterances: tuple[Utterance, ...]
    language: str
    language_probability: float
    n_frames: int
    speech_s: float


class Transcriber:
    """One transcription. Its samples come in order; words come once they are certain.

    One thread at a time. The loaded model is asked for before each piece, because another one may have taken
    its place in memory since.
    """

    def __init__(self, options: SpeechOptions, model: Callable[[], SpeechModel]) -> None:
        """Begin; `model` gives the model, loaded."""
        self._options = options
        self._model = model
        self._detector = ModelDetector()
        self._rest = np.zeros(0, np.float32)
        self._waveform = np.zeros(0, np.float32)
        self._probabilities = np.zeros(0, np.float32)
        self._n_done = 0
        self._language = options.language
        self._language_probability = 1.0 if options.language else 0.0
        self._english: Evidence | None = None
        self._preview: _Understood | None = None

    def feed(self, waveform: Waveform, last: bool, is_wanted: Callable[[], bool]) -> TranscriptPart:
        """Take the next samples; give what has become certain.

        Raises:
            AppError: those of SpeechModel.
            Cancelled: it is not wanted any more; what was taken stays taken.
        """
        self._take(waveform, last)
        segments: list[SpeechSegment] = []
        while (piece := next_piece(self._probabilities, self._waveform, last)) is not None:
            if piece.stretches:
                understood = self._reusable(piece, last) or self._understand(piece, is_wanted)
                self._keep(understood)
                segments.extend(understood.segments)
            self._forget(piece.done)
        return self._part(tuple(segments))

    def preview(self, is_wanted: Callable[[], bool]) -> tuple[SpeechSegment, ...]:
        """Understand what waits for more; later words may change it.

        Where nothing is said any more until the end, this is what `feed` then gives, without computing again.
        Raises as `feed`.
        """
        stretches = speech_stretches(self._probabilities)
        if not stretches:
            return ()
        piece = Piece(tuple(stretches), len(self._probabilities))
        self._preview = self._understand(piece, is_wanted)
        return self._preview.segments

    @property
    def n_new_frames(self) -> int:
        """Frames of speech that the last preview did not see."""
        seen = 0 if self._preview is None else self._preview.n_frames
        return int(np.count_nonzero(self._probabilities[seen:] >= SPEECH_FROM))

    @property
    def quiet_s(self) -> float:
        """Seconds of quiet at the end of what waits."""
        speech = np.flatnonzero(self._probabilities >= SPEECH_DOWN_TO)
        return (len(self._probabilities) - (int(speech[-1]) + 1 if speech.size else 0)) * FRAME_S

    def _take(self, waveform: Waveform, last: bool) -> None:
        sound = np.concatenate([self._rest, waveform])
        if last:
            sound = np.pad(sound, (0, -len(sound) % FRAME))
        n_whole = len(sound) // FRAME * FRAME
        self._rest = sound[n_whole:]
        self._waveform = np.concatenate([self._waveform, sound[:n_whole]])
        new = self._detector.probabilities(sound[:n_whole])
        self._probabilities = np.concatenate([self._probabilities, new])

    def _forget(self, n_frames: int) -> None:
        self._waveform = self._waveform[n_frames * FRAME :]
        self._probabilities = self._probabilities[n_frames:]
        self._n_done += n_frames
        self._preview = None

    def _reusable(self, piece: Piece, last: bool) -> _Understood | None:
        """Give the preview where it saw all that is said in the last piece."""
        seen = self._preview
        if seen is None or not last or piece.done < len(self._probabilities):
            return None
        unseen = self._probabilities[max(0, seen.n_frames - _QUIET_FRAMES) :]
        return None if np.any(unseen >= SPEECH_DOWN_TO) else seen

    def _understand(self, piece: Piece, is_wanted: Callable[[], bool]) -> _Understood:
        if not is_wanted():
            raise Cancelled
        model = self._model()
        sound = piece.sound(self._waveform)
        language, probability = self._language, self._language_probability
        if not model.multilingual:
            language = "en"
        elif not language:
            language, probability = model.detect_language(sound)
        if not is_wanted():
            raise Cancelled
        utterances = model.understand(sound, language, self._options.translate, is_wanted)
        if not is_wanted():
            raise Cancelled
        return _Understood(
            tuple(filter(None, (self._segment(piece, one) for one in utterances))),
            tuple(utterances),
            language,
            probability,
            len(self._probabilities),
            self._speech_frames(piece) * FRAME_S,
        )

    def _speech_frames(self, piece: Piece) -> int:
        return sum(
            int(np.count_nonzero(self._probabilities[part.start : part.end] >= SPEECH_FROM))
            for part in piece.stretches
        )

    def _segment(self, piece: Piece, one: Utterance) -> SpeechSegment | None:
        """Give a segment with the times at which somebody speaks; None for words put into silence."""
        begin_s = self._n_done * FRAME_S
        start_s = piece.time(one.start_s)
        end_s = max(start_s, piece.time(one.end_s, at_end=True))
        first, behind = int(start_s / FRAME_S), math.ceil(end_s / FRAME_S) + 1
        speech = np.flatnonzero(self._probabilities[first:behind] >= SPEECH_DOWN_TO)
        if not speech.size:
            return None
        start_s = max(start_s, (first + int(speech[0])) * FRAME_S - _AROUND_S)
        end_s = min(end_s, (first + int(speech[-1]) + 1) * FRAME_S + _AROUND_S)
        return SpeechSegment(
            start_s=round(begin_s + start_s, 2),
            end_s=round(begin_s + max(start_s, end_s), 2),
            text=without_rounds(one.text, one.end_s - one.start_s),
            probability=round(min(1.0, math.exp(one.log_probability)), 4),
        )

    def _keep(self, understood: _Understood) -> None:
        """Learn the language: the first one that is sure stays, so that one odd piece does not change it."""
        if not self._model().multilingual:
            self._english = self._english or Evidence()
            self._english.add(understood.utterances, understood.speech_s)
            self._language, self._language_probability = "en", self._english.probability
        elif not self._language and understood.language_probability >= _SURE_LANGUAGE:
            self._language, self._language_probability = understood.language, understood.language_probability

    def _part(self, segments: tuple[SpeechSegment, ...]) -> TranscriptPart:
        return TranscriptPart(
            segments=segments,
            language=self._language,
            language_probability=round(self._language_probability, 4),
            done_s=round(self._n_done * FRAME_S, 3),
            doubtful=self._english is not None and self._english.doubtful,
        )
