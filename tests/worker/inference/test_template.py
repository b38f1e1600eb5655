"""Chat templates: every usual kind gives a prompt, every hostile one gives an error soon and does no harm."""

import threading
import time
from pathlib import Path

import psutil
import pytest

from app.core.errors import ModelError, UsageError
from app.protocol.engine import PromptMessage
from app.worker.inference import template as template_module
from app.worker.inference.template import (
    CHATML,
    PLAIN,
    ChatTemplate,
    Renderer,
    RenderStopped,
    fallback_template,
    folded,
)

pytestmark = pytest.mark.slow  # real processes, one after the other


def conversation(*turns: str) -> tuple[PromptMessage, ...]:
    """Give messages from `role: content` lines."""
    pairs = [turn.split(": ", 1) for turn in turns]
    return tuple(PromptMessage(role=role, content=content) for role, content in pairs)


TALK = conversation("system: Be brief.", "user: Hi", "assistant: Hello", "user: Bye")


def chat(source: str, renderer: Renderer) -> ChatTemplate:
    return ChatTemplate(source, "<s>", "</s>", renderer)


def test_chatml(renderer: Renderer) -> None:
    assert chat(CHATML, renderer).render(TALK) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    )


def test_plain_text_for_models_without_turns(renderer: Renderer) -> None:
    assert chat(PLAIN, renderer).render(TALK) == (
        "<s>Be brief.\n\n### User:\nHi\n\n### Assistant:\nHello\n\n### User:\nBye\n\n### Assistant:\n"
    )


def test_fallback_follows_the_vocabulary() -> None:
    assert fallback_template(True) == (CHATML, ())
    assert fallback_template(False) == (PLAIN, ("\n### User:",))


NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "[{{ m.role }}]{{ m.content | trim }}{% endfor %}"
)


def test_system_message_is_folded_where_the_template_refuses_it(renderer: Renderer) -> None:
    prompt = chat(NO_SYSTEM, renderer).render(TALK)
    assert prompt == "<s>[user]Be brief.\n\nHi[assistant]Hello[user]Bye"


def test_neighbours_are_joined_where_roles_must_alternate(renderer: Renderer) -> None:
    twice = conversation("user: One", "user: Two", "assistant: Three", "user: Four")
    assert chat(NO_SYSTEM, renderer).render(twice) == "<s>[user]One\n\nTwo[assistant]Three[user]Four"


def test_system_message_that_the_template_drops_is_folded(renderer: Renderer) -> None:
    dropping = "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    assert chat(dropping, renderer).render(TALK).startswith("[user]Be brief.\n\nHi")


def test_follow_up_begins_with_the_earlier_prompt(renderer: Renderer) -> None:
    for source in (CHATML, PLAIN, NO_SYSTEM):
        template = chat(source, renderer)
        first = template.render(TALK)
        longer = template.render((*TALK, *conversation("assistant: Goodbye", "user: Wait")))
        assert longer.startswith(first.removesuffix("<|im_start|>assistant\n"))


def test_what_templates_use_is_there(renderer: Renderer) -> None:
    source = (
        "{%- set ns = namespace(n=0) -%}\n"
        "{%- for m in messages -%}{%- if m['role'] == 'tool' -%}{%- continue -%}{%- endif -%}"
        "{%- set ns.n = ns.n + 1 -%}{%- endfor -%}\n"
        "{{ ns.n }} {{ strftime_now('%Y') | length }} {{ eos_token }} {{ tools is none }} "
        "{{ messages[1].content | tojson }} {{ add_generation_prompt }} {{ 'x' if tools is defined }}"
        "{{ messages[0].content }}"
    )
    prompt = chat(source, renderer).render(conversation("system: S", "user: <é>"))
    assert prompt == '2 4 </s> True "<é>" True xS'


def test_same_conversation_is_rendered_once(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    template, real, calls = chat(CHATML, renderer), renderer.render, 0

    def counted(arguments: dict[str, object]) -> str:
        nonlocal calls
        calls += 1
        return real(arguments)

    monkeypatch.setattr(renderer, "render", counted)
    for _ in range(3):
        template.render(TALK)
    for number in range(10):
        template.render(conversation(f"user: {number}"))
    template.render(TALK)
    assert calls == 12


@pytest.mark.parametrize("messages", [(), conversation("user:  ")])
def test_empty_conversation(messages: tuple[PromptMessage, ...], renderer: Renderer) -> None:
    with pytest.raises(UsageError) as caught:
        chat(CHATML, renderer).render(messages)
    assert caught.value.code == "prompt.empty"


HOSTILE = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "huge range": "{% for a in range(10**9) %}{% endfor %}",
    "huge string": "{{ 'a' * 3000000000 }}",
    "endless output": "{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
    "doubling": (
        "{% set ns = namespace(x='xxxx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
    ),
    "huge power": "{{ 9 ** (9 ** 9) }}",
    "padding": "{{ 'x' | center(9000000000) }}",
    "format width": "{{ '%9000000000d' | format(1) }}",
    "replace": "{{ ('a' * 99999).replace('', 'b' * 99999) | length }}",
    "list": "{% set l = [0] * 9000000000 %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "deep nesting": "{% if true %}" * 5000,
    "deep expression": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "class walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ lipsum.__globals__['os'].system('touch CANARY') }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('touch CANARY') }}",
    "self": "{{ self.__init__.__globals__ }}",
    "request": "{{ raise_exception.__globals__['sys'].exit(0) }}",
    "format string": "{{ '{0.__class__.__init__.__globals__}'.format(strftime_now) }}",
    "attr filter": "{{ '' | attr('__class__') | attr('__mro__') }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os }}",
    "mutation": "{{ messages.append(1) }}{% for i in range(3) %}{% endfor %}{{ messages.clear() }}",
    "syntax": "{% if %}",
    "undefined call": "{{ nothing.at.all() }}",
    "refusal": "{{ raise_exception('no') }}",
    "empty": "   ",
}


def test_hostile_templates_end_in_an_error(
    renderer: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process serves all of them, as for a user who tries many models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(template_module, "DEADLINE_S", 0.5)
    before = psutil.Process().memory_info().rss
    for kind, source in HOSTILE.items():
        started = time.monotonic()
        with pytest.raises(ModelError) as caught:
            chat(source.replace("CANARY", str(tmp_path / "canary")), renderer).render(TALK)
        assert caught.value.code == "prompt.template_failed", kind
        assert time.monotonic() - started < 5, kind
        assert not list(tmp_path.iterdir()), kind
    assert psutil.Process().memory_info().rss - before < 64 * 2**20
    assert chat(CHATML, renderer).render(TALK).endswith("assistant\n")


def test_every_hostile_template_alone_fails_for_its_own_reason(renderer: Renderer) -> None:
    kinds = {}
    for name in ("syntax", "refusal", "empty", "class walk", "huge range", "huge string"):
        with pytest.raises(ModelError) as caught:
            chat(HOSTILE[name], renderer).render(TALK)
        kinds[name] = caught.value.context["kind"]
    assert kinds == {
        "syntax": "broken",
        "refusal": "refused",
        "empty": "empty",
        "class walk": "broken",
        "huge range": "limit",
        "huge string": "limit",
    }


def test_deadline_holds_as_delivered(renderer: Renderer) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        chat(HOSTILE["nested loops"], renderer).render(TALK)
    assert caught.value.context == {"kind": "deadline"}
    assert "too much time" in caught.value.user_message
    assert 1.5 < time.monotonic() - started < 5


def test_rendering_can_be_stopped(renderer: Renderer) -> None:
    renderer.start()
    threading.Timer(0.3, renderer.stop).start()
    started = time.monotonic()
    with pytest.raises(RenderStopped):
        chat(HOSTILE["nested loops"], renderer).render(TALK)
    assert time.monotonic() - started < 1.5
    assert chat(CHATML, renderer).render(TALK)


def test_stopping_an_idle_renderer_does_nothing(renderer: Renderer) -> None:
    template = chat(CHATML, renderer)
    template.render(TALK)
    renderer.stop()
    assert template.render(conversation("user: again"))


def test_process_that_died_is_replaced(renderer: Renderer) -> None:
    template = chat(CHATML, renderer)
    template.render(TALK)
    (child,) = psutil.Process().children()
    child.kill()
    child.wait()
    assert template.render(conversation("user: again"))


def test_process_that_dies_while_asked_is_an_error(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer.start()
    (child,) = psutil.Process().children()
    monkeypatch.setattr("subprocess.Popen.poll", lambda _self: None)  # the death is not noticed before
    child.kill()
    child.wait()
    with pytest.raises(ModelError) as caught:
        chat(CHATML, renderer).render(TALK)
    assert caught.value.code == "prompt.template_failed"


def test_folding_alone() -> None:
    assert folded(TALK) == conversation("user: Be brief.\n\nHi", "assistant: Hello", "user: Bye")
