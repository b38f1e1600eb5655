"""`h2ogpt ask`: one question, or one a line, answered from the documents with citations."""

import argparse
import sys
from dataclasses import replace

from app.cli import answers, arguments, question_files
from app.cli.lines import texts
from app.cli.output import print_error, print_json, print_words
from app.client import HostClient
from app.core.errors import AppError


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("question", metavar="QUESTION|-", help="the question; `-` reads one a line")
    arguments.add_generation(parser)
    parser.add_argument(
        "--image",
        metavar="FILE",
        action="append",
        default=[],
        help="an image to ask about; may be given several times (needs a model that reads images)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--schema", metavar="FILE", help="a JSON schema that the answer obeys")
    form.add_argument("--grammar", metavar="FILE", help="a GBNF grammar that the answer obeys")
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Answer each question; return 1 where one failed."""
    code = arguments.DONE
    schema = question_files.schema(options.schema) if options.schema else None
    grammar = question_files.text(options.grammar) if options.grammar else ""
    images = tuple([await question_files.attached(client, path) for path in options.image])
    async for text in texts(options.question):
        request = replace(answers.question(options, text), images=images, json_schema=schema, grammar=grammar)
        try:
            done = await answers.ask(client, request)
        except AppError as error:
            if client.closed:
                raise
            print_error(error, as_json=options.json)
            code = arguments.FAILED
            continue
        if options.json:
            print_json(answers.as_value(done))
        elif schema is not None or grammar:
            print_words(done.answer.text)  # and nothing else: another program may read it
            if note := answers.sources_in_words(done.answer):
                sys.stderr.write(f"{note}\n")
        else:
            sources = answers.sources_in_words(done.answer)
            print_words(done.answer.text + (f"\n\n{sources}" if sources else ""))
    return code
