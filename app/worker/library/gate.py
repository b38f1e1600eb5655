"""The relevance gate: does the library hold an answer at all? One value for `search` and `ask`."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """What speaks for an answer standing in the passages found.

    Attributes:
        coverage: share of the question's terms, by their weight, that the best passage holds; 0 to 1.
        cosine: of the nearest passage; None where meaning was not searched.
    """

    coverage: float
    cosine: float | None


class Gate:
    """Turns evidence into a calibrated value.

    Attributes:
        threshold: from this value on, something was found.
    """

    threshold = 0.5

    def relevance(self, evidence: Evidence) -> float:
        """Give the probability, 0 to 1, that the passages answer the question."""
        if evidence.cosine is None:
            return 1 / (1 + math.exp(-8 * (evidence.coverage - 0.6)))
        return 1 / (1 + math.exp(-(10 * (evidence.cosine - 0.45) + 6 * (evidence.coverage - 0.5))))
