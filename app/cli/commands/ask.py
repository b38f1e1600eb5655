"""`h2ogpt ask`: one question, or one a line, answered from the documents with citations."""

import argparse

from app.cli import answers, arguments
from app.cli.lines import texts
from app.cli.output import print_error, print_json, print_words
from app.client import HostClient
from app.core.errors import AppError


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("question", metavar="QUESTION|-", help="the question; `-` reads one a line")
    arguments.add_generation(parser)
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Answer each question; return 1 where one failed."""
    code = arguments.DONE
    async for text in texts(options.question):
        try:
            done = await answers.ask(client, answers.question(options, text))
        except AppError as error:
            if client.closed:
                raise
            print_error(error, as_json=options.json)
            code = arguments.FAILED
            continue
        if options.json:
            print_json(answers.as_value(done))
        else:
            sources = answers.sources_in_words(done.answer)
            print_words(done.answer.text + (f"\n\n{sources}" if sources else ""))
    return code
