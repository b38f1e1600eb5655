"""Entry of the parser process: preload the parsers, then fork a child a file or serve them in turn."""

import argparse
import gc
import importlib
import pkgutil
import sys

from app.worker import sandbox
from app.worker.parser.registry import Registry

_PRELOADED = (
    "app.worker.mupdf",
    "charset_normalizer",
    "csv",
    "docx",
    "lxml.html",
    "openpyxl",
    "pptx",
    "striprtf.striprtf",
    "zipfile",
)


def main(argv: list[str]) -> int:
    """Run the parser process until the library worker closes its end; return the exit code."""
    options = _options(argv)
    sandbox.outlive_starting_thread()  # any thread may read the first file; our end is that of the socket
    preload()
    registry = Registry.standard()
    for module in options.readers:
        importlib.import_module(module).register(registry)
    if options.control is None:
        from app.worker.parser.serving import serve

        return serve(registry.read)
    from app.worker.parser.forking import ForkServer

    return ForkServer(options.control, registry.read).run()


def preload() -> None:
    """Import every parser, so that children inherit them and need no file of their own."""
    # openpyxl takes numpy only to recognise its number types; without it the process is 13 MB smaller.
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # None is how an import is blocked
    for name in _PRELOADED:
        importlib.import_module(name)
    import encodings

    for module in pkgutil.iter_modules(encodings.__path__):
        if module.name not in ("mbcs", "oem"):  # Windows only
            importlib.import_module(f"encodings.{module.name}")
    gc.collect()
    gc.freeze()  # children's collections leave the shared pages untouched


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parser")
    parser.add_argument("--control", type=int, help="descriptor of the socket that files come through")
    parser.add_argument("--readers", action="append", default=[], help="module with more readers (tests)")
    return parser.parse_args(argv)
