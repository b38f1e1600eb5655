"""The rendering itself, in this process (the confined process cannot write its coverage down)."""

import json

import pytest
from jinja2 import TemplateError

from app.protocol.envelope import Message
from app.worker.inference import template_process
from app.worker.inference.template_process import TemplateRefusedError, render, rendered

MESSAGES = [{"role": "user", "content": "Hi"}]


def run(source: str) -> str:
    return render(source, MESSAGES, "2026-03-04", "<s>", "</s>")


def test_render() -> None:
    assert run("{{ bos_token }}{{ messages[0].content }}{{ strftime_now('%d %b %Y') }}") == "<s>Hi04 Mar 2026"


def test_refusal() -> None:
    with pytest.raises(TemplateRefusedError, match="not so"):
        run("{{ raise_exception('not so') }}")


def test_json_is_not_escaped_for_html() -> None:
    assert run("{{ {'a': '<é>'} | tojson }}{{ [1] | tojson(indent=1) }}") == '{"a": "<é>"}[\n 1\n]'


def test_output_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_process, "MAX_OUTPUT_CHARS", 10)
    reply = answer("{% for i in range(20) %}x{% endfor %}")
    assert (reply.type, reply.body["kind"]) == ("template.failed", "limit")


def answer(source: str) -> Message:
    arguments = {
        "source": source,
        "messages": MESSAGES,
        "day": "2026-03-04",
        "bos_token": "",
        "eos_token": "",
    }
    return rendered(Message("template.render", payload=json.dumps(arguments).encode()))


@pytest.mark.parametrize(
    ("source", "kind", "error", "line", "words"),
    [
        ("a\n\n{% if %}", "syntax", "TemplateSyntaxError", 3, "Expected an expression"),
        ("\n{{ raise_exception('no\nway') }}", "refused", "TemplateRefusedError", 2, "no way"),
        ("{{ ''.__class__.mro() }}", "broken", "SecurityError", 1, "'__class__' of 'str' object is unsafe"),
        ("\n\n{{ nothing.at.all }}", "broken", "UndefinedError", 3, "'nothing' is undefined"),
        ("{% macro m() %}\n{{ 1 / 0 }}{% endmacro %}\n\n{{ m() }}", "broken", "ZeroDivisionError", 2, ""),
        ("{% include 'etc/passwd' %}", "broken", "TemplateNotFound", 1, "cannot use other files"),
        ("{% for i in range(10**9) %}{% endfor %}", "limit", "OverflowError", 1, ""),
        ("{% if true %}" * 3000, "limit", "RecursionError", 0, ""),
        ("{{ raise_exception('x' * 100000) }}", "refused", "TemplateRefusedError", 1, "x" * 200),
    ],
)
def test_failures_are_told_by_kind_line_and_words(
    source: str, kind: str, error: str, line: int, words: str
) -> None:
    reply = answer(source)
    body = dict(reply.body)
    assert words in str(body.pop("words")) and (words or not reply.body["words"])
    assert (reply.type, body) == ("template.failed", {"kind": kind, "error": error, "line": line})


def test_success_is_told() -> None:
    reply = answer("{{ messages[0].content }}é\ud800")
    assert (reply.type, reply.payload) == ("template.rendered", "Hié?".encode())


def test_refusal_is_a_template_error() -> None:
    assert issubclass(TemplateRefusedError, TemplateError)
