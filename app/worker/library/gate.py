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
    """A logistic regression: the sigmoid of `coverage * c**power + cosine * d + intercept`."""

    coverage: float
    cosine: float
    intercept: float
    power: int = 1


VECTORS_POWER = 3
"""Power of the coverage beside a cosine: a few of the words tell almost nothing, most of them nearly
everything. With 1 the errors on XQuAD are the same, but a question in other words than its answer would need
a cosine of 0.61; with 3 it needs 0.48, which hardly one of 1,600 questions without an answer reaches."""

# Source: scripts/bench/calibrate_gate.py, on every second article of XQuAD (English; German and Spanish;
# Chinese), each question once with and once without its article in a library of 48, and in libraries of one
# article. Intercepts are shifted so that 0.5 is the value at which the worst error, as a share of its limit,
# is smallest. In scripts that the model does not know the cosine tells nothing.
WORDS_ONLY = {
    Language.ENGLISH: Weights(13.74, 0.0, -5.79),
    Language.LATIN: Weights(13.72, 0.0, -4.12),
    Language.OTHER: Weights(25.93, 0.0, -5.10),
}
WITH_VECTORS = {
    Language.ENGLISH: Weights(11.37, 20.03, -9.67, VECTORS_POWER),
    Language.LATIN: Weights(29.13, 8.43, -5.34, VECTORS_POWER),
    Language.OTHER: WORDS_ONLY[Language.OTHER],
}

THRESHOLD = 0.5
"""From this value on, something was found."""


def relevance(evidence: Evidence) -> float:
    """Give how likely it is, 0 to 1, that the passages answer the question."""
    if evidence.cosine is None:
        weights, cosine = WORDS_ONLY[evidence.language], 0.0
    else:
        weights, cosine = WITH_VECTORS[evidence.language], evidence.cosine
    lexical = weights.coverage * evidence.coverage**weights.power
    exponent = lexical + weights.cosine * cosine + weights.intercept
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, exponent))))
