#!/usr/bin/env python3
"""Answer under fifty JSON schemas and validate each answer; with room for it, and with very little.

    .venv/bin/python scripts/bench/json_schema.py [--model FILE] [--max-tokens 200 24 1] [--json]

Each answer is parsed strictly and checked with `jsonschema`, formats included.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jsonschema  # type: ignore[import-untyped]

from app.core.errors import AppError
from scripts.bench.answer_schemas import SCHEMAS
from scripts.bench.opened_model import OpenedModel, opened_model, starter_model


@dataclass(frozen=True)
class Checked:
    """One answer.

    Attributes:
        problem: why it is not valid; empty where it is.
        n_tokens: written, of at most `max_tokens` and what closing it may take.
    """

    schema: str
    temperature: float
    max_tokens: int
    n_tokens: int
    finish: str
    text: str
    problem: str


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, validate, print; 1 where an answer is not valid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="GGUF file; default: the starter model")
    parser.add_argument("--max-tokens", type=int, nargs="+", default=[200, 24, 1])
    parser.add_argument("--temperature", type=float, nargs="+", default=[0.0, 1.2])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    started = time.perf_counter()
    with opened_model(options.model or starter_model(), context_length=2048) as opened:
        checked = [
            _checked(opened, name, schema, temperature, n)
            for n in options.max_tokens
            for temperature in options.temperature
            for name, schema in SCHEMAS.items()
        ]
    seconds = time.perf_counter() - started
    if options.json:
        print(json.dumps({"seconds": seconds, "answers": [asdict(one) for one in checked]}))
    else:
        _print(checked, seconds)
    return int(any(one.problem for one in checked))


def _checked(
    opened: OpenedModel, name: str, schema: dict[str, Any], temperature: float, max_tokens: int
) -> Checked:
    question = f"Invent an example of {name} and answer as JSON."
    try:
        answer = opened.ask(
            question, max_tokens=max_tokens, temperature=temperature, seed=7, json_schema=schema
        )
    except AppError as error:
        return Checked(name, temperature, max_tokens, 0, "error", "", error.user_message)
    return Checked(
        name,
        temperature,
        max_tokens,
        answer.completion_tokens,
        answer.finish,
        answer.text,
        _problem(answer.text, schema),
    )


def _problem(text: str, schema: dict[str, Any]) -> str:
    try:
        value = json.loads(text)
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(value)
    except json.JSONDecodeError as error:
        return f"no JSON: {error}"
    except jsonschema.ValidationError as error:
        return f"not valid: {error.message[:200]}"
    return ""


def _print(checked: list[Checked], seconds: float) -> None:
    for key in dict.fromkeys((one.max_tokens, one.temperature) for one in checked):
        group = [one for one in checked if (one.max_tokens, one.temperature) == key]
        valid = sum(not one.problem for one in group)
        longest = max(one.n_tokens for one in group)
        print(
            f"max_tokens {key[0]}, temperature {key[1]}: {valid}/{len(group)} valid, at most {longest} tokens"
        )
    for one in checked:
        if one.problem:
            print(
                f"  {one.schema} ({one.max_tokens}, {one.temperature}, {one.finish}): "
                f"{one.problem}: {one.text!r}"
            )
    print(f"{seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
