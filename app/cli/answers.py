"""An answer in the terminal: streaming its text, then its sources."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from app.cli.output import file_name, one_line, plain
from app.client import HostClient
from app.core.errors import WorkerError
from app.protocol.chat import AnswerDone, AnswerPhase, AnswerStarted, AnswerToken, Ask, ChatMessage
from app.protocol.search import Scope

CITATION_KEYS = ("n", "path", "page", "char_start", "char_end", "quote", "verified")


def question(
    options: argparse.Namespace, text: str, conversation_id: str | None = None, keep: bool = False
) -> Ask:
    """Build the request from the command's options."""
    return Ask(
        question=text,
        conversation_id=conversation_id,
        keep=keep,
        collections=(options.collection,) if options.collection else (),
        scope=Scope(kind="none") if options.no_documents else None,
        use_documents=not options.no_documents,
        model=options.model,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
    )


async def ask(
    client: HostClient,
    request: Ask,
    on_token: Callable[[str], None] | None = None,
    on_start: Callable[[AnswerStarted], None] | None = None,
    on_phase: Callable[[AnswerPhase], None] | None = None,
) -> AnswerDone:
    """Ask and return the finished answer.

    Raises:
        AppError: as `Ask` says.
    """
    async for body in client.stream(request):
        if isinstance(body, AnswerDone):
            return body
        if isinstance(body, AnswerToken) and on_token is not None:
            on_token(body.text)
        elif isinstance(body, AnswerStarted) and on_start is not None:
            on_start(body)
        elif isinstance(body, AnswerPhase) and on_phase is not None:
            on_phase(body)
    raise WorkerError(
        "host.bad_answer", "The background process ended the answer without a result.", "Ask again."
    )


def as_value(done: AnswerDone) -> dict[str, Any]:
    """Give the JSON value of an answer."""
    answer, stats = done.answer, done.answer.stats
    return {
        "answer": answer.text,
        "found": done.found,
        "citations": [
            {key: getattr(citation, key) for key in CITATION_KEYS} for citation in answer.citations
        ],
        "model": answer.model,
        "prompt_tokens": stats.prompt_tokens,
        "cached_tokens": stats.cached_tokens,
        "completion_tokens": stats.completion_tokens,
        "first_token_s": stats.first_token_s,
        "tokens_per_s": stats.tokens_per_s,
    }


def sources_in_words(answer: ChatMessage) -> str:
    """Give what stands under an answer: where it comes from, and what is not supported."""
    lines = []
    if answer.kind == "general":
        lines.append("(General knowledge of the model, not from your documents.)")
    for citation in answer.citations:
        page = f", page {citation.page}" if citation.page is not None else ""
        check = "" if citation.verified else "  (not verified)"
        lines.append(f"[{citation.n}] {file_name(citation.path)}{page}: “{one_line(citation.quote)}”{check}")
    if answer.kind == "documents" and answer.unsupported:
        unsupported = "; ".join(
            f"“{one_line(answer.text[start:end], 80)}”" for start, end in answer.unsupported
        )
        lines.append(f"Not supported by your documents: {unsupported}")
    note = " ".join(filter(None, (answer.error_message, answer.error_hint)))
    if note:  # why the answer was cut, or what to do where nothing was found
        lines.append(f"({note})")
    return "\n".join(lines)


def write_token(text: str) -> None:
    """Write text of a streaming answer at once."""
    sys.stdout.write(plain(text))
    sys.stdout.flush()
