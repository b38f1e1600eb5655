#!/usr/bin/env python3
"""Measure answers through the program: speed against llama.cpp's own loop, follow-ups against cold prompts.

It starts a host of its own on an empty data folder and asks through the client, as the window does:

    .venv/bin/python scripts/bench/generation.py [--model FILE] [--rounds 8] [--runs 8] [--json]

Speed: the program and two processes of the raw loop take short turns behind prompts of the same length;
tokens a second of the program are taken at the client, from the first text that arrives to the last. The
speed of a shared machine drifts within seconds, and one process can be some per cent faster than its twin for
as long as it lives: so there are many turns, several rounds of new processes, and the raw loop's ratio to
itself beside. Follow-up: a question over about 2,000 tokens of text, then two more in the same conversation.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.client import HostClient
from app.core.errors import AppError
from app.core.paths import DataPaths, data_paths, starter_models_dir
from app.protocol.chat import AnswerDone, AnswerStats, AnswerToken, Ask
from app.protocol.models import ChooseModel
from app.protocol.system import Shutdown

RAW_LOOP = Path(__file__).with_name("raw_loop.py")
LONG_TASK = "Tell me a very long story about a lighthouse keeper and the sea, with many details."
PLACES = ("harbour", "station", "market", "mill", "school", "museum", "bakery", "library", "garden", "bridge")
FACT = (
    "The {place} of district {n} was opened in {year} and has {doors} doors, {rooms} rooms and {steps} steps."
)


@dataclass(frozen=True)
class Pair:
    """One turn of the program between two of the raw loop, in processes of their own.

    Attributes:
        raw_tokens_per_s: mean of the two.
        ratio: program over raw loop.
        control: the second raw loop over the first: what a figure of this bench means on this machine.
    """

    raw_tokens_per_s: float
    tokens_per_s: float
    ratio: float
    control: float


@dataclass(frozen=True)
class Turn:
    """One question of the conversation; seconds.

    Attributes:
        first_text_s: at the client, from sending the question to the first text.
        first_token_s: in the worker.
    """

    prompt_tokens: int
    cached_tokens: int
    first_text_s: float
    first_token_s: float


@dataclass(frozen=True)
class Report:
    """All figures; `first_token_ratio` is the slower follow-up over the cold question, in the worker."""

    model: str
    pairs: tuple[Pair, ...]
    ratio_median: float
    control_median: float
    raw_median: float
    program_median: float
    turns: tuple[Turn, ...]
    first_token_ratio: float
    first_text_ratio: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="GGUF file beside others; default: the starter model")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of new processes (default 8)")
    parser.add_argument("--runs", type=int, default=8, help="turns of each in a round (default 8)")
    parser.add_argument("--tokens", type=int, default=128, help="tokens of an answer (default 128)")
    parser.add_argument("--text-tokens", type=int, default=2000, help="tokens to read first (default 2000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    model = options.model or next(iter(sorted((starter_models_dir() / "chat").glob("*.gguf"))), None)
    if model is None:
        print("There is no model: run scripts/fetch_models.py.", file=sys.stderr)
        return 1
    try:
        report = asyncio.run(
            measure(model, options.rounds, options.runs, options.tokens, options.text_tokens)
        )
    except AppError as error:
        print(f"{error.user_message} {error.hint}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(report)) if options.json else described(report))
    return 0


async def measure(model: Path, n_rounds: int, n_runs: int, n_tokens: int, n_text_tokens: int) -> Report:
    """Start a host for each round, measure, end it."""
    pairs, turns = list[Pair](), list[Turn]()
    for _ in range(n_rounds):
        async with _host(model) as client:
            pairs += await _pairs(client, model, n_runs, n_tokens)
            turns = turns or await _conversation(client, model, n_text_tokens)
    slowest = max(turns[1:], key=lambda turn: turn.first_token_s)
    return Report(
        model=model.stem,
        pairs=tuple(pairs),
        ratio_median=statistics.median(pair.ratio for pair in pairs),
        control_median=statistics.median(pair.control for pair in pairs),
        raw_median=statistics.median(pair.raw_tokens_per_s for pair in pairs),
        program_median=statistics.median(pair.tokens_per_s for pair in pairs),
        turns=tuple(turns),
        first_token_ratio=slowest.first_token_s / turns[0].first_token_s,
        first_text_ratio=max(turn.first_text_s for turn in turns[1:]) / turns[0].first_text_s,
    )


@contextlib.asynccontextmanager
async def _host(model: Path) -> AsyncIterator[HostClient]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        paths = data_paths(folder)
        _offer(model, paths)
        client = await HostClient.connect(paths, kind="cli")
        try:
            await client.call(ChooseModel(name=model.stem))
            yield client
            await client.call(Shutdown(force=True))
            await client.wait_closed()
        finally:
            await client.close()


def _offer(model: Path, paths: DataPaths) -> None:
    """Make a model that is not a starter model visible to the host."""
    if model.parent.resolve() != (starter_models_dir() / "chat").resolve():
        paths.models_dir.mkdir(mode=0o700)
        (paths.models_dir / model.name).symlink_to(model.resolve())


async def _pairs(client: HostClient, model: Path, n_runs: int, n_tokens: int) -> list[Pair]:
    warm = await _asked(client, model, LONG_TASK, n_tokens)
    async with _raw_loop(model, warm.stats) as raw, _raw_loop(model, warm.stats) as raw_again:
        pairs = []
        for _ in range(n_runs):
            raw_speed = await raw()
            answer = await _asked(client, model, LONG_TASK, n_tokens)
            control = await raw_again()
            between = (raw_speed + control) / 2  # the program's turn lies in the midst of both
            pairs.append(
                Pair(between, answer.tokens_per_s, answer.tokens_per_s / between, control / raw_speed)
            )
    return pairs


@contextlib.asynccontextmanager
async def _raw_loop(model: Path, stats: AnswerStats) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Start llama.cpp's own loop in a process of its own, behind a prompt of equal length; give one run."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, RAW_LOOP, "--json", "--again", "--model", model),
        *("--tokens", str(stats.completion_tokens), "--prompt-tokens", str(stats.prompt_tokens)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    questions, answers = process.stdin, process.stdout
    assert questions is not None and answers is not None

    async def run() -> float:
        questions.write(b"\n")
        return float(json.loads(await answers.readline())["tokens_per_s"])

    try:
        await answers.readline()  # the first one warms up
        yield run
    finally:
        questions.close()
        await process.wait()


async def _conversation(client: HostClient, model: Path, n_text_tokens: int) -> list[Turn]:
    facts = [
        FACT.format(
            place=PLACES[n % len(PLACES)],
            n=n,
            year=1800 + n * 7 % 190,
            doors=n % 9,
            rooms=n % 40,
            steps=n * 3,
        )
        for n in range(n_text_tokens // 38)  # tokens of such a sentence
    ]
    questions = (
        "Read this:\n\n" + " ".join(facts) + "\n\nWhen was the harbour of district 20 opened?",
        "And how many rooms has it?",
        "How many steps has the mill of district 13?",
    )
    conversation_id, turns = None, []
    for question in questions:
        answer = await _asked(client, model, question, 24, conversation_id)
        conversation_id = answer.conversation_id
        stats = answer.stats
        turns.append(
            Turn(stats.prompt_tokens, stats.cached_tokens, answer.first_text_s, stats.first_token_s or 0.0)
        )
    return turns


@dataclass(frozen=True)
class _Answer:
    conversation_id: str
    stats: AnswerStats
    first_text_s: float
    tokens_per_s: float


async def _asked(
    client: HostClient, model: Path, question: str, n_tokens: int, conversation_id: str | None = None
) -> _Answer:
    """Ask without documents, greedily, and take the times at which text arrives."""
    request = Ask(
        question=question,
        conversation_id=conversation_id,
        use_documents=False,
        model=model.stem,
        max_tokens=n_tokens,
        temperature=0.0,
    )
    started, arrivals = time.perf_counter(), list[float]()
    async for body in client.stream(request):
        if isinstance(body, AnswerToken):
            arrivals.append(time.perf_counter())
        if isinstance(body, AnswerDone):
            done = body
    stats = done.answer.stats
    speed = (stats.completion_tokens - 1) / (arrivals[-1] - arrivals[0])
    return _Answer(done.conversation_id, stats, arrivals[0] - started, speed)


def described(report: Report) -> str:
    """Give the figures in words."""
    lines = [
        f"{report.model}",
        f"speed: program {report.program_median:.1f}, raw loop {report.raw_median:.1f} tokens/s; "
        f"ratio {report.ratio_median:.3f}, raw loop over itself {report.control_median:.3f} "
        f"(medians of {len(report.pairs)} turns)",
    ]
    for name, turn in zip(("cold", "follow-up", "second follow-up"), report.turns, strict=True):
        lines.append(
            f"{name}: {turn.prompt_tokens} prompt tokens, {turn.cached_tokens} reused, first token "
            f"{turn.first_token_s:.3f} s (text at the client {turn.first_text_s:.3f} s)"
        )
    lines.append(
        f"slowest follow-up's first token: {report.first_token_ratio:.1%} of the cold one "
        f"(at the client {report.first_text_ratio:.1%})"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
