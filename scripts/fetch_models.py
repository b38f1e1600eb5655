#!/usr/bin/env python3
"""Fetch, check or repair the models in ``resources/models``.

Examples:
    ``python3 scripts/fetch_models.py`` fetches what is missing;
    ``--check`` compares every byte with the pinned hashes; ``--repair`` replaces what is damaged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup import model_files
from scripts.setup.layout import current_layout
from scripts.setup.model_pins import STARTER_MODELS, ModelPackage
from scripts.setup.progress import Progress, SetupError, explain


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Fetch, check or repair the models in resources/models.")
    parser.add_argument("--check", action="store_true", help="only compare every byte with the pinned hashes")
    parser.add_argument("--repair", action="store_true", help="fetch damaged files anew")
    parser.add_argument("--models-dir", type=Path, default=None, help="another folder than resources/models")
    return parser.parse_args(arguments)


def check(packages: Sequence[ModelPackage], models_dir: Path) -> int:
    """Print one line per model and return how many are not exactly as pinned."""
    n_damaged = 0
    for package in packages:
        problems = model_files.damaged_files(package, models_dir)
        n_damaged += bool(problems)
        print(f"{package.title}: {'; '.join(problems) if problems else 'every byte is as pinned'}")
    return n_damaged


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    packages = STARTER_MODELS
    layout = current_layout()
    models_dir = options.models_dir or layout.models_dir
    if options.check:
        return 1 if check(packages, models_dir) else 0
    try:
        if options.repair:
            damaged = [item for item in packages if model_files.damaged_files(item, models_dir)]
            model_files.remove(damaged, models_dir)
        model_files.fetch(packages, models_dir, layout.cache_dir, Progress())
    except SetupError as error:
        explain(error)
        return 1
    print(f"The models are in {models_dir}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
