"""Whether what an English-only model understood was English at all."""

import math
import re
from collections.abc import Sequence

from app.worker.voice.speech_model import Utterance

DOUBTFUL_BELOW = -0.75
"""Mean log-probability of a token below which speech is taken for another language: decision 0090."""
_OF_GUESSES = -1.3
_SLOPE = 0.12
_FEWEST_TOKENS = 4
_TOKENS_PER_S = 3.0
_WORD = re.compile(r"[\w']+")
_CIRCLE = re.compile(r"\b((?:\S+ ){4,12})\1|\b((?:\S+ ){1,3})\2{3}")

_ROUNDS = re.compile(r"(?P<round>(?:\S+\s+){1,12}?)(?P=round){3,}", re.IGNORECASE)
_MOST_WORDS_PER_S = 6.0
"""More than anybody speaks for longer than a moment: fast speech has 4 to 5."""
_FEWEST_WORDS = 12


class Evidence:
    """What speaks for English, gathered over a transcription.

    A model that knows English only writes English words for any speech. On other languages it is unsure of
    them, goes in circles ("see you in the next video, see you in the next video"), or gives up. The mean
    log-probability of a token, with circles and silence on speech counted as bad guesses, tells them from
    English.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._n_tokens = 0
        self._log_probability = 0.0

    def add(self, utterances: Sequence[Utterance], speech_s: float) -> None:
        """Take what was understood of so much speech."""
        for one in utterances:
            value = one.log_probability
            if one.was_guessed or goes_in_circles(one.text):
                value = min(value, _OF_GUESSES)
            self._log_probability += value * one.n_tokens
            self._n_tokens += one.n_tokens
        if not utterances:
            n_tokens = int(_TOKENS_PER_S * speech_s)
            self._log_probability += _OF_GUESSES * n_tokens
            self._n_tokens += n_tokens

    @property
    def score(self) -> float:
        """Mean log-probability of a token, 0 at most; 0 where there is none."""
        return self._log_probability / self._n_tokens if self._n_tokens else 0.0

    @property
    def probability(self) -> float:
        """How well it fits English speech, 0 to 1; 0.5 at the border; 0 where nothing was said."""
        if not self._n_tokens:
            return 0.0
        return 1 / (1 + math.exp(-(self.score - DOUBTFUL_BELOW) / _SLOPE))

    @property
    def doubtful(self) -> bool:
        """Whether it most likely was another language; too few words say nothing."""
        return self._n_tokens >= _FEWEST_TOKENS and self.score < DOUBTFUL_BELOW


def goes_in_circles(text: str) -> bool:
    """Whether four words or more come twice in a row, or fewer four times."""
    return _CIRCLE.search(" ".join(_WORD.findall(text.casefold())) + " ") is not None


def without_rounds(text: str, seconds: float) -> str:
    """Leave out the repetitions of a model that went in circles; what somebody can have said stays.

    A model that loops writes until it may not write on, far more than is said in that time: only then a group
    of words that comes four times in a row or more is written twice.

    Args:
        text: of a segment.
        seconds: that it took.
    """
    n_words = len(text.split())
    if n_words < _FEWEST_WORDS or n_words <= _MOST_WORDS_PER_S * seconds:
        return text
    return _ROUNDS.sub(lambda match: match["round"] * 2, f"{text} ").strip()
