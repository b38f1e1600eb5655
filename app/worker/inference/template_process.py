"""The process that renders chat templates: a template is a program that came with the model file.

Jinja's sandbox keeps a template from reaching Python, but neither from looping for hours nor from filling the
memory. So templates are rendered here, apart from the engine: each rendering has a deadline kept by a thread
that needs no interpreter lock (`faulthandler`), and the process has a memory limit and no rights where the
system allows. Running over either ends this process alone; the inference worker starts another.

It says `template.ready` when it can begin, reads requests `template.render` from stdin (`payload`: JSON of
the arguments) and answers each with `template.rendered` (`payload`: the text) or `template.failed` (`kind`,
`line`, `words`). The deadline counts from there: compiling is part of it. The end of stdin ends it.
"""

import faulthandler
import json
import os
import signal
import sys
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import DictLoader, Template, TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.core.frozen import code_places
from app.protocol.envelope import Message, encode, read_message
from app.worker import sandbox
from app.worker.limits import limit_growth

MAX_OUTPUT_CHARS = 16 * 1024 * 1024
MAX_GROWTH_BYTES = 384 * 1024 * 1024
MAX_WORDS_CHARS = 200
# Whose text is written for the author of a template; that of other errors speaks of Python.
_READABLE = (TemplateSyntaxError, UndefinedError, SecurityError)
_TEMPLATE_FILE = "<template>"  # Source: jinja2/environment.py, from_string


class _OutputTooLongError(Exception):
    """The template wrote more than any context holds."""


def main(_argv: list[str]) -> int:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl+C is for whoever started us
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limit_growth(MAX_GROWTH_BYTES)
    render("{{ messages }}", [], "2000-01-01", "", "")  # imports what rendering imports late
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        sandbox.confine(sandbox.Rights(readable=(sys.prefix, sys.base_prefix, *code_places()), threads=True))
        output.write(encode(Message("template.ready")))
        output.flush()
        while (message := read_message(sys.stdin.buffer)) is not None:
            faulthandler.dump_traceback_later(float(message.body["deadline_s"]), exit=True, file=nowhere)
            reply = rendered(message)
            faulthandler.cancel_dump_traceback_later()
            output.write(encode(reply))
            output.flush()
    return 0


def rendered(message: Message) -> Message:
    """Answer one request."""
    try:
        text = render(**json.loads(message.payload))
        return Message("template.rendered", payload=text.encode("utf-8", "replace"))
    except TemplateRefusedError as error:
        return _failed("refused", error, str(error))
    except TemplateSyntaxError as error:
        return _failed("syntax", error, error.message or "", error.lineno)
    except TemplateNotFound as error:
        return _failed("broken", error, "a chat template cannot use other files")
    except (_OutputTooLongError, MemoryError, RecursionError, OverflowError) as error:
        return _failed("limit", error)
    except Exception as error:  # the border to foreign code: a template can raise anything Python can
        return _failed("broken", error, str(error) if isinstance(error, _READABLE) else "")


def _failed(kind: str, error: Exception, words: str = "", line: int = 0) -> Message:
    """Tell a failure; its words are cut and on one line, whatever the template put into them."""
    readable = "".join(char if char.isprintable() else " " for char in words[: 4 * MAX_WORDS_CHARS])
    body = {
        "kind": kind,
        "error": type(error).__name__,
        "line": line or _line_of(error),
        "words": " ".join(readable.split())[:MAX_WORDS_CHARS],
    }
    return Message("template.failed", body)


def _line_of(error: Exception) -> int:
    """Give the innermost line of the template that an error came from; 0 where none is known."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _TEMPLATE_FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def render(source: str, messages: list[dict[str, str]], day: str, bos_token: str, eos_token: str) -> str:
    """Render one conversation, ending where the assistant's turn begins.

    Args:
        source: the template.
        messages: turns of `role` and `content`.
        day: ISO date that `strftime_now` gives; the time of day is midnight, so that a conversation's prompt
            does not change from turn to turn.
        bos_token: text of the model's token that begins a text.
        eos_token: text of the one that ends it.

    Raises:
        TemplateRefusedError: the template called `raise_exception`.
        TemplateError: the template is wrong.
    """
    template = _compiled(source, day)
    parts: list[str] = []
    n_chars = 0
    stream = template.generate(
        messages=messages,
        bos_token=bos_token,
        eos_token=eos_token,
        add_generation_prompt=True,
        tools=None,
        documents=None,
        enable_thinking=False,
    )
    for part in stream:
        parts.append(part)
        n_chars += len(part)
        if n_chars > MAX_OUTPUT_CHARS:
            raise _OutputTooLongError
    return "".join(parts)


class TemplateRefusedError(TemplateError):
    """The template called `raise_exception`: it does not take such a conversation."""


@lru_cache(maxsize=4)
def _compiled(source: str, day: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], loader=DictLoader({})
    )
    today = datetime.fromisoformat(day)
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = today.strftime
    return environment.from_string(source)


def _raise_exception(text: object = "") -> NoReturn:
    raise TemplateRefusedError(str(text)[:200])


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_options: Any) -> str:
    """Write JSON without escaping for HTML, as chat templates expect."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
