"""`h2ogpt search`: find passages."""

import argparse
from dataclasses import asdict
from typing import Any

from app.cli import arguments
from app.cli.lines import texts
from app.cli.output import file_name, one_line, print_error, print_json, print_words
from app.client import HostClient
from app.core.errors import AppError
from app.protocol.search import Hit, Search, SearchResult

HIT_KEYS = ("rank", "score", "path", "page", "char_start", "char_end", "heading", "text")


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("query", metavar="QUERY|-", help="the words to find; `-` reads one query a line")
    arguments.add_collection(parser, "search only this collection")
    parser.add_argument(
        "--limit", type=arguments.whole_number(1), default=10, metavar="N", help="at most N passages"
    )
    parser.add_argument(
        "--mode", choices=("hybrid", "keyword", "dense"), default="hybrid", help="how to search"
    )
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Search each query; return 1 where one failed."""
    code = arguments.DONE
    collections = (options.collection,) if options.collection else ()
    async for query in texts(options.query):
        request = Search(query=query, collections=collections, limit=options.limit, mode=options.mode)
        try:
            result = await client.call(request)
        except AppError as error:
            if client.closed:
                raise
            print_error(error, as_json=options.json)
            code = arguments.FAILED
            continue
        if options.json:
            print_json(as_value(result))
        else:
            print_words(in_words(result))
    return code


def as_value(result: SearchResult) -> dict[str, Any]:
    """Give the JSON value of a result."""
    hits = [{key: value for key, value in asdict(hit).items() if key in HIT_KEYS} for hit in result.hits]
    return {
        "query": result.query,
        "found": result.found,
        "relevance": result.relevance,
        "seconds": result.seconds,
        "hits": hits,
    }


def in_words(result: SearchResult) -> str:
    """Give a result for a person."""
    lines = [_hit_in_words(hit) for hit in result.hits]
    if not result.found:
        lines.insert(0, "Not in your documents." + (" The nearest passages:" if lines else ""))
    if result.degraded:
        lines.append(result.degraded)
    return "\n".join(lines)


def _hit_in_words(hit: Hit) -> str:
    page = f", page {hit.page}" if hit.page is not None else ""
    return f"{hit.rank:>2}. {file_name(hit.path)}{page}  ({hit.score:.2f})\n    {one_line(hit.text)}"
