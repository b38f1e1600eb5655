"""The relevance gate: does the library hold an answer at all? One value for `search` and `ask`.

Two things speak for it: how near the nearest passage is in meaning, and how much of the question's telling
words stands in one passage. How much each tells depends on the language: the bundled model was trained on
English, so a cosine says less elsewhere.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """What the bundled model and the keyword index can do with a language."""

    ENGLISH = "english"
    LATIN = "latin"  # another language in Latin script
    OTHER = "other"  # another script


@dataclass(frozen=True)
class Evidence:
    """What speaks for an answer standing in the passages found.

    Attributes:
        coverage: share of the question's terms, by their weight, that one of the best passages holds; 0 to 1.
        cosine: of the nearest passage; None where meaning was not searched.
        language: of the question and the best passage.
    """

    coverage: float
    cosine: float | None
    language: Language


@dataclass(frozen=True)
class Weights:
    """A logistic regression: the value is the sigmoid of `coverage * c + cosine * d + intercept`."""

    coverage: float
    cosine: float
    intercept: float


# # Source: scripts/bench/calibrate_gate.py, on every second article of XQuAD (English; German and Spanish;
# Chinese), # each question once with and once without its article in a library of 48, and in libraries of
# one article. # Intercepts are shifted so that 0.5 is the value at which both kinds of error are at the same
# share of their limit.
# In scripts that the model does not know, the cosine told nothing (its weight came out slightly negative).
_OTHER_SCRIPTS = Weights(25.9, 0.0, -5.1)
WITH_VECTORS = {
    Language.ENGLISH: Weights(8.72, 18.85, -11.65),
    Language.LATIN: Weights(12.05, 5.89, -6.71),
    Language.OTHER: _OTHER_SCRIPTS,
}
WORDS_ONLY = {
    Language.ENGLISH: Weights(13.74, 0.0, -5.79),
    Language.LATIN: Weights(13.72, 0.0, -4.12),
    Language.OTHER: _OTHER_SCRIPTS,
}

THRESHOLD = 0.5
"""From this value on, something was found."""


def relevance(evidence: Evidence) -> float:
    """Give how likely it is, 0 to 1, that the passages answer the question."""
    if evidence.cosine is None:
        weights, cosine = WORDS_ONLY[evidence.language], 0.0
    else:
        weights, cosine = WITH_VECTORS[evidence.language], evidence.cosine
    exponent = weights.coverage * evidence.coverage + weights.cosine * cosine + weights.intercept
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, exponent))))
