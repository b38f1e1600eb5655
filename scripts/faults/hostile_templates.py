"""Give every hostile chat template to the inference worker; print the words that its author reads.

A template is a program that came with a model file or was pasted by its user. Each of these must end in a
problem in words before its deadline (or, where it is only odd, in a text), and the worker must render the
next one.

    python -m scripts.faults.hostile_templates
"""

import asyncio
import sys
import time
from dataclasses import dataclass

from app.core.processes import worker_command, worker_environment
from app.core.prompt_formats import find_format
from app.protocol.channel import Channel
from app.protocol.engine import PromptMessage, RenderPrompt
from app.worker.inference.template import DEADLINE_S

SLOWEST_S = 2 * DEADLINE_S + 3  # rendered twice at most, and the process started anew


@dataclass(frozen=True)
class Hostile:
    """A template and how it may end.

    Attributes:
        kinds: of `RenderError`, or `text` where it writes one; which of them depends on the machine's speed.
    """

    source: str
    kinds: tuple[str, ...]


_BROKEN, _SYNTAX, _LIMIT = ("broken",), ("syntax",), ("limit", "deadline", "broken")
_SLOW, _NOTHING, _TEXT = ("deadline", "limit"), ("empty",), ("text",)
_MEGABYTES_10 = 10 * 1024 * 1024

HOSTILE = {
    # time
    "nested loops": Hostile(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", _SLOW
    ),
    "huge range": Hostile("{% for a in range(10**9) %}{% endfor %}", _LIMIT),
    "huge power": Hostile("{{ 9 ** (9 ** 9) }}", _SLOW),
    "endless lipsum": Hostile("{{ lipsum(n=99999) }}", _SLOW),
    "endless joiner": Hostile(
        "{% set j = joiner('a' * 99) %}{% for a in range(99999) %}{% for b in range(9999) %}"
        "{% set x = j() %}{% endfor %}{% endfor %}",
        _SLOW,
    ),
    "endless cycler": Hostile(
        "{% set c = cycler(1, 2) %}{% for a in range(99999) %}{% for b in range(9999) %}"
        "{% set x = c.next() %}{% endfor %}{% endfor %}",
        _SLOW,
    ),
    "slow sort": Hostile(
        "{% for a in range(99999) %}{% set x = range(99999) | sort(reverse=true) | list %}{% endfor %}", _SLOW
    ),
    "slow search": Hostile("{{ ('a' * 9999999).find('a' * 4999999 ~ 'b') }}" * 40, (*_SLOW, "broken")),
    "slow to compile": Hostile("{{ a }}" * (_MEGABYTES_10 // 7), _SLOW),
    "10 MB of text": Hostile("x" * _MEGABYTES_10, (*_TEXT, *_SLOW)),
    "10 MB of open braces": Hostile("{" * _MEGABYTES_10, (*_SYNTAX, *_SLOW)),
    "10 MB of comment": Hostile("{#" + "x" * _MEGABYTES_10, (*_SYNTAX, *_SLOW)),
    # memory
    "huge string": Hostile("{{ 'a' * 3000000000 }}", _LIMIT),
    "endless output": Hostile("{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", _LIMIT),
    "doubling": Hostile(
        "{% set ns = namespace(x='xxxx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        _LIMIT,
    ),
    "padding": Hostile("{{ 'x' | center(9000000000) }}", _LIMIT),
    "format width": Hostile("{{ '%1000000000d' % 1 }}", _LIMIT),
    "format filter": Hostile("{{ '%9000000000d' | format(1) }}", _LIMIT),
    "format specification": Hostile("{{ '{:>9000000000}'.format(1) }}", _LIMIT),
    "replace": Hostile("{{ ('a' * 99999).replace('', 'b' * 99999) | length }}", _LIMIT),
    "list": Hostile("{% set l = [0] * 9000000000 %}", _LIMIT),
    "indent": Hostile("{{ ('\\n' * 99999) | indent(9999999) }}", (*_LIMIT, "empty")),
    # depth
    "macro recursion": Hostile("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", _LIMIT),
    "macro pair": Hostile(
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", _LIMIT
    ),
    "caller recursion": Hostile(
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}", _LIMIT
    ),
    "loop recursion": Hostile("{% for a in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", _LIMIT),
    "deep nesting": Hostile("{% if true %}" * 5000, _LIMIT),
    "deep expression": Hostile("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", _LIMIT),
    "deeper expression": Hostile("{{ " + "[" * 200_000 + "]" * 200_000 + " }}", _LIMIT),
    "long sum": Hostile("{{ 1" + "+1" * 20_000 + " }}", (*_LIMIT, "syntax")),
    "many filters": Hostile("{{ 1" + "|string" * 20_000 + " }}", _LIMIT),
    # reaching Python
    "class walk": Hostile("{{ ''.__class__.__mro__[1].__subclasses__() }}", _BROKEN),
    "globals": Hostile("{{ lipsum.__globals__['os'].system('touch CANARY') }}", _BROKEN),
    "cycler globals": Hostile("{{ cycler.__init__.__globals__.os.popen('touch CANARY') }}", _BROKEN),
    "namespace globals": Hostile("{{ namespace.__init__.__globals__ }}", _BROKEN),
    "self": Hostile("{{ self.__init__.__globals__ }}", _BROKEN),
    "raise_exception": Hostile("{{ raise_exception.__globals__['sys'].exit(0) }}", _BROKEN),
    "format string": Hostile("{{ '{0.__class__.__init__.__globals__}'.format(strftime_now) }}", _BROKEN),
    "format map": Hostile("{{ '{a.__class__}'.format_map({'a': 1}) }}", _NOTHING),
    "stored format": Hostile("{% set f = '{0.__class__}'.format %}{{ f(1) }}", _NOTHING),
    "attr filter": Hostile("{{ '' | attr('__class__') | attr('__mro__') }}", _NOTHING),
    "map attribute": Hostile("{{ [''] | map(attribute='__class__.__mro__') | list }}", _BROKEN),
    "groupby attribute": Hostile("{{ [''] | groupby('__class__') }}", _TEXT),
    "mutation": Hostile("{{ messages.append(1) }}{{ messages.clear() }}", _BROKEN),
    "namespace class": Hostile("{% set ns = namespace() %}{% set ns.__class__ = 1 %}", _NOTHING),
    # other files
    "include": Hostile("{% include '/etc/passwd' %}", _BROKEN),
    "import": Hostile("{% import 'os' as os %}{{ os }}", _BROKEN),
    "extends": Hostile("{% extends '../../secrets' %}", _BROKEN),
    # nonsense
    "syntax": Hostile("{% if %}", _SYNTAX),
    "unknown tag": Hostile("{% python %}import os{% endpython %}", _SYNTAX),
    "undefined everything": Hostile("{{ nothing.at.all() }}{{ a.b }}{{ c[1] }}", _BROKEN),
    "division by zero": Hostile("{{ 1 // 0 }}", _BROKEN),
    "wrong kinds": Hostile("{{ messages + 1 }}", _BROKEN),
    "endless digits": Hostile("{{ 10 ** 99999 }}", (*_BROKEN, "limit")),
    "refusal": Hostile("{{ raise_exception('no ' * 99999) }}", ("refused",)),
    "nothing": Hostile("   ", _NOTHING),
    "blank only": Hostile("{% for m in messages %}\n{% endfor %}", _NOTHING),
    "invalid UTF-8": Hostile("\udcff\udc80{{ messages[0].content }}", _TEXT),
    "null bytes": Hostile("\x00{{ messages[0].content }}\x00", _TEXT),
    "odd names": Hostile("{% set ｎｓ = 1 %}{{ ns }}{{ messages | length }}", _TEXT),
}
"""By name; `CANARY` stands for a file that must not appear."""

MESSAGES = (
    PromptMessage(role="user", content="Hi"),
    PromptMessage(role="assistant", content="Hello"),
    PromptMessage(role="user", content="Bye"),
)


async def drill() -> int:
    """Give all of them to one worker; return how many ended badly."""
    process = await asyncio.create_subprocess_exec(
        *worker_command("inference"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=worker_environment(),
        limit=Channel.STREAM_LIMIT,
    )
    assert process.stdin is not None and process.stdout is not None
    channel = Channel(process.stdout, process.stdin, lambda _: None)
    reading = asyncio.create_task(channel.run())
    n_bad = 0
    for name, hostile in HOSTILE.items():
        if len(hostile.source) > 1_000_000 or not hostile.source.strip():
            continue  # no template of a user's; the tests give these to the template process itself
        started = time.monotonic()
        found = await channel.call(RenderPrompt(messages=MESSAGES, template=hostile.source))
        seconds = time.monotonic() - started
        good = found.problem != "" or "text" in hostile.kinds
        good = good and seconds < SLOWEST_S and await _renders(channel)
        n_bad += not good
        print(f"{'ok ' if good else 'BAD'} {seconds:5.2f} s  {name}: {found.problem or found.text[:40]!r}")
    channel.close()
    await process.wait()
    await reading
    print(f"{n_bad} bad; the worker ended with {process.returncode}")
    return n_bad


async def _renders(channel: Channel) -> bool:
    """Whether an ordinary template still works."""
    found = await channel.call(RenderPrompt(messages=MESSAGES, prompt_format="chatml"))
    expected = find_format("chatml").stop[1] + "user\nHi"
    return found.text.startswith(expected)


if __name__ == "__main__":
    sys.exit(min(1, asyncio.run(drill())))
