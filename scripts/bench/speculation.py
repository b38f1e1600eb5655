#!/usr/bin/env python3
"""Measure guessing ahead: answers that quote their passage, answers that repeat nothing, a draft model.

    .venv/bin/python scripts/bench/speculation.py [--model FILE] [--draft FILE] [--runs 3] [--tokens 160]

Each pair of runs answers the same prompt without and with guesses, in turns, greedily. Both texts must be the
same up to the first place where two tokens were nearly as likely (0.1 logit): batches of another size round
differently, so there either may be picked.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.engine import Generation
from app.worker.inference.prompt_cache import n_common
from scripts.bench.generation import FACT, LONG_TASK, PLACES
from scripts.bench.opened_model import OpenedModel, opened_model, starter_model

NEAR_TIE = 0.1


@dataclass(frozen=True)
class Pair:
    """The same answer without and with guesses; tokens a second.

    Attributes:
        accepted: of the guesses, as a share.
        n_same: tokens of both texts that are the same.
        gap: logits between the two tokens at the first difference; None where there is none.
    """

    case: str
    plain: float
    guessed: float
    n_tokens: int
    n_drafted: int
    accepted: float
    n_same: int
    gap: float | None

    @property
    def ratio(self) -> float:
        """How many times as fast."""
        return self.guessed / self.plain

    @property
    def is_same(self) -> bool:
        """Whether the texts agree up to a near-tie."""
        return self.gap is None or self.gap <= NEAR_TIE


def quoting() -> str:
    """Give a prompt whose answer quotes its passage."""
    facts = [
        FACT.format(
            place=PLACES[n % 10], n=n, year=1800 + n * 7 % 190, doors=n % 9, rooms=n % 40, steps=n * 3
        )
        for n in range(12)
    ]
    return "Repeat this text word for word:\n\n" + " ".join(facts)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a text differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="GGUF file; default: the starter model")
    parser.add_argument("--draft", type=Path, help="GGUF file of a draft model, measured too")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=160)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    model = options.model or starter_model()
    cases = {"quotes its passage": quoting(), "repeats nothing": LONG_TASK}
    pairs = []
    with opened_model(model, context_length=4096) as opened:
        for case, prompt in cases.items():
            pairs += [_pair(opened, opened, case, prompt, options.tokens) for _ in range(options.runs)]
        if options.draft:
            with opened_model(model, context_length=4096, draft=str(options.draft)) as drafted:
                for _ in range(options.runs):
                    case = "draft model"
                    pairs.append(_pair(opened, drafted, case, LONG_TASK, options.tokens, prompt_lookup=False))
    print(json.dumps([asdict(pair) for pair in pairs]) if options.json else described(pairs))
    return int(not all(pair.is_same for pair in pairs))


def _pair(
    plain: OpenedModel, guessing: OpenedModel, case: str, prompt: str, n_tokens: int, **options: Any
) -> Pair:
    first, tokens = _asked(plain, prompt, n_tokens, prompt_lookup=False)
    second, guessed_tokens = _asked(guessing, prompt, n_tokens, **options)
    n_same = n_common(tokens, guessed_tokens)
    gap = None
    if n_same < min(len(tokens), len(guessed_tokens)):
        gap = _gap(plain, tokens[:n_same], tokens[n_same], guessed_tokens[n_same])
    return Pair(
        case,
        first.tokens_per_s or 0.0,
        second.tokens_per_s or 0.0,
        second.completion_tokens,
        second.n_drafted,
        second.n_accepted / second.n_drafted if second.n_drafted else 0.0,
        n_same - first.prompt_tokens,
        gap,
    )


def _asked(opened: OpenedModel, prompt: str, n_tokens: int, **options: Any) -> tuple[Generation, list[int]]:
    """Answer; give the evaluated tokens too: prompt and answer."""
    answer = opened.ask(prompt, max_tokens=n_tokens, **options)
    return answer, list(opened.loaded.cache.tokens)


def _gap(opened: OpenedModel, tokens: list[int], one: int, other: int) -> float:
    """Evaluate up to the first difference; give how far apart the two tokens' logits are."""
    loaded = opened.loaded
    loaded.context.clear()
    loaded.cache.clear()
    for at in range(0, len(tokens), loaded.n_batch):
        loaded.context.decode(tokens[at : at + loaded.n_batch])
    logits = loaded.context.logits()
    gap = abs(float(logits[one] - logits[other]))
    loaded.context.clear()
    return gap


def described(pairs: Sequence[Pair]) -> str:
    """Give the figures in words."""
    lines = []
    for case in dict.fromkeys(pair.case for pair in pairs):
        group = [pair for pair in pairs if pair.case == case]
        ratio = statistics.median(pair.ratio for pair in group)
        lines.append(f"{case}: {ratio:.2f} times as fast (median of {len(group)})")
        lines += [
            f"  {pair.plain:.1f} -> {pair.guessed:.1f} tokens/s over {pair.n_tokens} tokens; "
            f"{pair.n_drafted} guesses, {pair.accepted:.0%} right; same for {pair.n_same} tokens"
            + (f", then {pair.gap:.3f} logits apart" if pair.gap is not None else "")
            for pair in group
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
