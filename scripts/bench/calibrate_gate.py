#!/usr/bin/env python3
"""Work out the weights of the relevance gate from every second article of XQuAD; print them for gate.py.

Run it after a change of chunking, embedding or ranking:

    .venv/bin/python scripts/bench/calibrate_gate.py --data ../shared/data/retrieval
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.worker.library.embedding import OnnxEmbedder
from app.worker.library.gate import VECTORS_POWER, Language
from scripts.bench.corpora import load_xquad
from scripts.bench.gate_questions import Case, large_library_cases, small_library_cases, split_groups
from scripts.bench.library_of import RememberingEmbedder

MAX_FOUND_THOUGH_ABSENT = 0.10
MAX_MISSED = 0.08
LANGUAGES = {Language.ENGLISH: ["en"], Language.LATIN: ["de", "es"], Language.OTHER: ["zh"]}

Array = npt.NDArray[np.float64]


def fit(features: Array, labels: Array, penalty: float = 1.0, n_steps: int = 50) -> Array:
    """Give the weights of a logistic regression, the intercept last.

    Source: Newton's method with a ridge penalty on everything but the intercept (Bishop 2006, section 4.3.3).

    Args:
        features: (n, k), of about unit scale.
        labels: (n,), 0 or 1.
        penalty: of the squared weights.
        n_steps: of Newton's method.
    """
    extended = np.c_[features, np.ones(len(features))]
    ridge = penalty * np.diag([1.0] * features.shape[1] + [1e-9])
    weights = np.zeros(extended.shape[1])
    for _ in range(n_steps):
        chances = 1 / (1 + np.exp(-extended @ weights))
        gradient = extended.T @ (chances - labels) + ridge @ weights
        hessian = (extended * (chances * (1 - chances))[:, None]).T @ extended + ridge
        weights -= np.linalg.solve(hessian, gradient)
    return weights


def threshold(values: Array, labels: Array, settings: npt.NDArray[np.str_]) -> float:
    """Give the value at which the worst error of any setting, as a share of its limit, is smallest."""
    parts = [(values[settings == name], labels[settings == name]) for name in np.unique(settings)]

    def worst(cut: float) -> float:
        missed = max(float(np.mean(part[label == 1] < cut)) for part, label in parts) / MAX_MISSED
        found = max(float(np.mean(part[label == 0] >= cut)) for part, label in parts)
        return max(missed, found / MAX_FOUND_THOUGH_ABSENT)

    cuts: list[float] = np.quantile(values, np.linspace(0.01, 0.99, 393)).tolist()
    return min(cuts, key=worst)


def calibrate(cases: Sequence[Case], *, with_vectors: bool) -> tuple[float, float, float]:
    """Give the weights of coverage and cosine and the intercept, for a threshold of 0.5."""
    labels = np.array([case.is_present for case in cases], np.float64)
    power = VECTORS_POWER if with_vectors else 1
    rows = [(case.evidence.coverage**power, case.evidence.cosine or 0.0) for case in cases]
    features = np.array(rows)[:, : 2 if with_vectors else 1]
    mean, scale = features.mean(axis=0), features.std(axis=0)
    *weights, intercept = fit((features - mean) / scale, labels)
    plain = np.array(weights) / scale
    values = features @ plain
    cut = threshold(values, labels, np.array([case.setting for case in cases]))
    print(f"    threshold moved by {intercept - plain @ mean + cut:+.2f} from even odds")
    return float(plain[0]), float(plain[1]) if with_vectors else 0.0, float(-cut)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Calibrate the relevance gate.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/retrieval"))
    options = parser.parse_args()
    embedder = RememberingEmbedder(OnnxEmbedder())
    for mode, name in (("hybrid", "WITH_VECTORS"), ("keyword", "WORDS_ONLY")):
        print(f"{name} = {{")
        for language, codes in LANGUAGES.items():
            cases: list[Case] = []
            for code in codes:
                corpus = load_xquad(options.data / "xquad", code)
                groups, _ = split_groups(corpus)
                cases += large_library_cases(corpus, groups, embedder, mode)
                cases += small_library_cases(corpus, groups, embedder, mode)
            cases = [case for case in cases if case.evidence.language == language]
            weights = calibrate(cases, with_vectors=mode == "hybrid")
            print(f"    Language.{language.name}: Weights({', '.join(f'{value:.3f}' for value in weights)}),")
        print("}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
