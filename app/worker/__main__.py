"""Entry of every worker process: `python -m app.worker KIND …`, or `h2ogpt-worker KIND …` when frozen."""

import importlib
import logging
import os
import sys

from app.core.processes import die_with_parent

MODULES = {
    "library": "app.worker.library.main",
    "index": "app.worker.library.index_process",
    "inference": "app.worker.inference.main",
    "render": "app.worker.render.main",
    "parser": "app.worker.parser.main",
    "template": "app.worker.inference.template_process",
    "grammar": "app.worker.inference.grammar_process",
    "probe": "app.worker.probe.main",
    "decoder": "app.worker.decoder.main",
    "voice": "app.worker.voice.start",
}


def main(argv: list[str] | None = None) -> int:
    """Start the worker that argv names; return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] not in MODULES:
        sys.stderr.write(f"usage: python -m app.worker {{{','.join(MODULES)}}} …\n")
        return 2
    os.umask(0o077)  # before anything else: libraries create files readable by everyone
    die_with_parent()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    module = importlib.import_module(MODULES[arguments[0]])
    code: int = module.main(arguments[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
