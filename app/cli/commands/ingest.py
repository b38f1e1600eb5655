"""`h2ogpt ingest`: add files and folders and wait until each is in its final state."""

import argparse
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import file_name, print_json, print_words
from app.client import HostClient
from app.protocol.library import AddPaths, FileResult

BAD_STATES = frozenset({"failed", "missing"})


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or folder")
    arguments.add_collection(parser, "put them into this collection (created if need be)")
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Ingest; return 1 where a file failed."""
    paths = tuple(arguments.absolute_path(path) for path in options.paths)
    failed = False
    async for body in client.stream(AddPaths(paths=paths, collection=options.collection, wait=True)):
        if isinstance(body, FileResult):
            failed = failed or body.state in BAD_STATES
            if options.json:
                print_json(asdict(body))
            else:
                print_words(in_words(body))
    return arguments.FAILED if failed else arguments.DONE


def in_words(result: FileResult) -> str:
    """Give one file's outcome for a person."""
    facts = [f"{result.pages} pages"] if result.pages else []
    if result.chunks:
        facts.append(f"{result.chunks} passages")
    facts.append(f"{result.seconds:.1f} s")
    reason = f"\n    {result.reason}" if result.reason else ""
    return f"{result.state:<12}{file_name(result.path)}  ({', '.join(facts)}){reason}"
