#!/usr/bin/env python3
"""Write a GGUF model of random weights: it costs memory and time like a real one of its shape.

    .venv/bin/python scripts/make_gguf.py OUT.gguf [--preset 1b] [--type Q4_K] [--layers N] [--width N]
        [--heads N] [--kv-heads N] [--inner N] [--vocab N | --tokenizer FILE.gguf] [--tied] [--hollow]

With `--tokenizer` it takes tokenizer and chat template over from another model, so that it can be talked to;
the answers mean nothing. A hollow file has no weights on the disk (zeros) and takes no room.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.worker.inference.random_model import TYPES, RandomModel
from scripts.random_shapes import MixtureModel, WideHeadModel, WindowModel

PRESETS = {
    "tiny": RandomModel(n_layers=4, width=512, n_heads=8, n_kv_heads=4, inner=1536),
    "350m": RandomModel(n_layers=24, width=1024, n_heads=16, n_kv_heads=8, inner=2816),
    "1b": RandomModel(n_layers=16, width=2048, n_heads=32, n_kv_heads=8, inner=8192),
    "3b": RandomModel(n_layers=28, width=3072, n_heads=24, n_kv_heads=8, inner=8192),
    "8b": RandomModel(n_layers=32, width=4096, n_heads=32, n_kv_heads=8, inner=14_336),
    "mixture": MixtureModel(n_layers=8, width=1024, n_heads=16, n_kv_heads=4, inner=2048),
    "qwen3": WideHeadModel(n_layers=16, width=1024, n_heads=16, n_kv_heads=8, inner=3072),
    "gemma3": WindowModel(n_layers=26, width=1152, n_heads=4, n_kv_heads=1, inner=6912, is_tied=True),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the model; print its path and size."""
    arguments = _parser().parse_args(argv)
    model = PRESETS[arguments.preset]
    chosen = {
        "n_layers": arguments.layers,
        "width": arguments.width,
        "n_heads": arguments.heads,
        "n_kv_heads": arguments.kv_heads,
        "inner": arguments.inner,
        "n_vocab": arguments.vocab,
        "context_length": arguments.context,
        "storage": arguments.type,
        "output_storage": arguments.output_type,
        "tokenizer": arguments.tokenizer,
        "is_tied": arguments.tied or None,
        "seed": arguments.seed,
    }
    model = replace(model, **{name: value for name, value in chosen.items() if value is not None})
    path = model.write(arguments.out, hollow=arguments.hollow)
    print(f"{path}: {path.stat().st_size / 1e6:,.0f} MB")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", choices=PRESETS, default="1b")
    for name in ("layers", "width", "heads", "kv-heads", "inner", "vocab", "context", "seed"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--type", choices=TYPES, help="storage of the matrices")
    parser.add_argument("--output-type", choices=TYPES, help="storage of embeddings and output matrix")
    parser.add_argument("--tokenizer", type=Path, help="a model whose tokenizer and template it gets")
    parser.add_argument("--tied", action="store_true", help="the embeddings are the output matrix")
    parser.add_argument("--hollow", action="store_true", help="leave the weights out")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
