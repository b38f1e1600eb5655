#!/usr/bin/env python3
"""Print the tokens a second of llama.cpp's own loop: one token evaluated, one picked, nothing else.

The model is loaded by the program's own loader, with its context, threads and priority, so that the figure is
what the program could reach at best on this machine at this moment:

    .venv/bin/python scripts/bench/raw_loop.py --model resources/models/chat/FILE.gguf --tokens 128
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.errors import AppError
from app.protocol.engine import LoadModel
from app.worker.inference.backend import AbortFlag, start_backend
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.loading import load_model
from app.worker.inference.main import lower_priority
from app.worker.inference.native_model import DECODED
from app.worker.inference.sampler import Sampler
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Surroundings


@dataclass(frozen=True)
class Figures:
    """What one run measured.

    Attributes:
        tokens_per_s: (n - 1) / (last - first token), as for the program's answers.
        prompt_tokens_per_s: speed of evaluating the prompt.
    """

    model: str
    tokens: int
    prompt_tokens: int
    tokens_per_s: float
    prompt_tokens_per_s: float
    load_seconds: float
    n_threads: int
    context_length: int


def main(argv: Sequence[str] | None = None) -> int:
    """Load, evaluate a prompt, generate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="GGUF file")
    parser.add_argument("--tokens", type=int, default=128, help="tokens to generate (default 128)")
    parser.add_argument("--prompt-tokens", type=int, default=64, help="tokens before them (default 64)")
    parser.add_argument("--context", type=int, default=0, help="context length; 0: as the program chooses")
    parser.add_argument("--threads", type=int, default=0, help="threads; 0: as the program chooses")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--again", action="store_true", help="once more for each line of the standard input")
    options = parser.parse_args(argv)
    if options.tokens < 2 or options.prompt_tokens < 1:
        parser.error("at least two tokens after at least one are needed")
    lower_priority()
    start_backend()
    try:
        loaded = load_model(
            LoadModel(path=str(options.model), context_length=options.context, n_threads=options.threads),
            Surroundings(AbortFlag(), Renderer(), threading.Lock(), lambda _done, _note: None, lambda: False),
        )
    except AppError as error:
        print(f"{error.user_message} {error.hint}", file=sys.stderr)
        return 1
    try:
        while True:
            figures = measure(loaded, options.prompt_tokens, options.tokens)
            print(json.dumps(asdict(figures)) if options.json else described(figures), flush=True)
            if not options.again or not sys.stdin.readline():
                return 0
    finally:
        loaded.close()


def measure(loaded: LoadedModel, n_prompt: int, n_tokens: int) -> Figures:
    """Time the loop behind a prompt of `n_prompt` tokens; what the tokens say does not matter."""
    context, sampler = loaded.context, Sampler()
    sampler.add_greedy()
    words = loaded.vocabulary.tokenize_prompt("The quick brown fox jumps over the lazy dog. " * n_prompt)
    prompt = words[:n_prompt]
    context.clear()
    started = time.perf_counter()
    for at in range(0, n_prompt, loaded.n_batch):
        _checked(context.decode(prompt[at : at + loaded.n_batch]))
    next_token, decode_one, clock = sampler.next_token, context.decode_one, time.perf_counter
    token = next_token(context)
    first = clock()
    for _ in range(n_tokens - 1):
        _checked(decode_one(token))
        token = next_token(context)
    last = clock()
    sampler.close()
    return Figures(
        model=loaded.info.name,
        tokens=n_tokens,
        prompt_tokens=n_prompt,
        tokens_per_s=(n_tokens - 1) / (last - first),
        prompt_tokens_per_s=n_prompt / (first - started),
        load_seconds=loaded.info.load_seconds,
        n_threads=loaded.info.n_threads,
        context_length=loaded.info.context_length,
    )


def _checked(code: int) -> None:
    if code != DECODED:
        raise SystemExit(f"llama.cpp stopped with code {code}: is the context long enough?")


def described(figures: Figures) -> str:
    """Give the figures in words."""
    return (
        f"{figures.model}: {figures.tokens_per_s:.1f} tokens/s over {figures.tokens} tokens behind "
        f"{figures.prompt_tokens} (prompt {figures.prompt_tokens_per_s:.0f} tokens/s, loaded in "
        f"{figures.load_seconds:.2f} s, {figures.n_threads} threads, context {figures.context_length})"
    )


if __name__ == "__main__":
    sys.exit(main())
