"""The process that tries a grammar before the engine that holds the model gets it.

The engine's parser recurses as deep as a grammar nests, and works as long as an ambiguous one wants: a
hostile grammar ends the process or never comes back. Here it ends this process alone.

    python -m app.worker grammar MODEL <GRAMMAR

reads a grammar from stdin, parses it for the vocabulary of a model and follows it for a few tokens. The exit
code says what came of it: FINE, REFUSED by the parser, anything else: it crashed or took too long.
"""

import faulthandler
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

from app.worker import sandbox
from app.worker.inference.backend import start_backend
from app.worker.inference.native import lib
from app.worker.inference.native_model import file_name
from app.worker.inference.sampler import Candidates
from app.worker.limits import limit_growth

FINE, REFUSED = 0, 3
DEADLINE_S = 5.0
MAX_GROWTH_BYTES = 1024 * 1024 * 1024
_N_TOKENS = 32


def main(argv: list[str]) -> int:
    """Try the grammar on stdin."""
    text = sys.stdin.buffer.read()
    start_backend()
    parameters = lib.llama_model_default_params()
    parameters.vocab_only = True
    model = lib.llama_model_load_from_file(file_name(Path(argv[0])), parameters)
    vocab = lib.llama_model_get_vocab(model)
    limit_growth(MAX_GROWTH_BYTES)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        sandbox.confine(sandbox.Rights(threads=True))
        faulthandler.dump_traceback_later(DEADLINE_S, exit=True, file=nowhere)
        grammar = lib.llama_sampler_init_grammar(vocab, text, b"root")
        if not grammar:
            return REFUSED
        _follow(grammar, vocab)
        faulthandler.cancel_dump_traceback_later()
    return FINE


def _follow(grammar: Any, vocab: Any) -> None:
    """Write a few tokens that the grammar allows."""
    source = random.Random(1)  # noqa: S311  # any way will do
    ids = np.arange(int(lib.llama_vocab_n_tokens(vocab)), dtype=np.int32)
    for _ in range(_N_TOKENS):
        candidates = Candidates(ids, 0.0)
        lib.llama_sampler_apply(grammar, candidates.native)
        allowed = ids[candidates.table["logit"] > float("-inf")]
        if not len(allowed):
            return
        token = int(source.choice(allowed))
        if lib.llama_vocab_is_eog(vocab, token):
            return
        lib.llama_sampler_accept(grammar, token)
