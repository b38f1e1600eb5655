"""Chat templates: every usual kind gives a prompt, every hostile one gives an error soon and does no harm."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.core.errors import ModelError, UsageError
from app.core.gguf import GgufHead
from app.core.prompt_formats import PLAIN, find_format
from app.protocol.engine import LoadModel, PromptMessage
from app.worker.inference import template as template_module
from app.worker.inference.template import (
    ChatTemplate,
    Renderer,
    RenderError,
    RenderStopped,
    folded,
    template_for,
)
from scripts.faults.hostile_templates import HOSTILE

pytestmark = pytest.mark.slow  # real processes, one after the other


def conversation(*turns: str) -> tuple[PromptMessage, ...]:
    """Give messages from `role: content` lines."""
    pairs = [turn.split(": ", 1) for turn in turns]
    return tuple(PromptMessage(role=role, content=content) for role, content in pairs)


CHATML = find_format("chatml").template
TALK = conversation("system: Be brief.", "user: Hi", "assistant: Hello", "user: Bye")


def chat(source: str, renderer: Renderer) -> ChatTemplate:
    return ChatTemplate(source, "<s>", "</s>", renderer)


def head(name: str = "m.gguf", **metadata: object) -> GgufHead:
    values = {"general.architecture": "llama"} | {key.replace("__", "."): v for key, v in metadata.items()}
    return GgufHead(Path(name), 3, values, (), 0, 0)


def knowing(*tokens: str) -> Callable[[str], bool]:
    return set(tokens).__contains__


OWN = head(tokenizer__chat_template="own")


@pytest.mark.parametrize(
    ("options", "source", "stop"),
    [
        (LoadModel(path=""), "own", ()),
        (LoadModel(path="", prompt_format="vicuna"), find_format("vicuna").template, ("USER:", "</s>")),
        (LoadModel(path="", prompt_format="vicuna", template="mine"), "mine", ()),
        (LoadModel(path="", template="  \n"), "own", ()),
    ],
)
def test_what_the_user_sets_counts_before_the_file(
    options: LoadModel, source: str, stop: tuple[str, ...]
) -> None:
    assert template_for(options, OWN, knowing()) == (source, stop)


def test_a_file_without_template_gets_a_format() -> None:
    plain = LoadModel(path="")
    assert template_for(plain, head(), knowing("<|im_start|>", "<|im_end|>"))[0] == CHATML
    assert template_for(plain, head(), knowing()) == (PLAIN.template, ("\n### User:",))
    assert template_for(plain, head("vicuna-7b.gguf"), knowing())[0] == find_format("vicuna").template
    named = head("model.gguf", general__name="Zephyr 7B")
    assert template_for(plain, named, knowing())[0] == find_format("zephyr").template
    assert template_for(plain, None, knowing())[0] == PLAIN.template


def test_an_unknown_format_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        template_for(LoadModel(path="", prompt_format="no such"), OWN, knowing())
    assert caught.value.code == "prompt.unknown_format"


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
    for source in (CHATML, PLAIN.template, NO_SYSTEM):
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


def outcome(template: ChatTemplate) -> str:
    try:
        template.try_render(TALK)
    except RenderError as error:
        return error.kind
    return "text"


def test_hostile_templates_are_named_and_do_no_harm(
    renderer: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One renderer serves all of them, as for a user who tries many models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(template_module, "DEADLINE_S", 0.5)
    before = psutil.Process().memory_info().rss
    for name, hostile in HOSTILE.items():
        template = chat(hostile.source.replace("CANARY", str(tmp_path / "canary")), renderer)
        assert outcome(template) in hostile.kinds, name
        assert not list(tmp_path.iterdir()), name
        assert chat(CHATML, renderer).render(TALK).endswith("assistant\n"), name
    assert psutil.Process().memory_info().rss - before < 128 * 2**20


def test_the_corpus_is_large() -> None:
    assert len([each for each in HOSTILE.values() if "text" not in each.kinds]) >= 25


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("syntax", "syntax"),
        ("refusal", "refused"),
        ("nothing", "empty"),
        ("class walk", "broken"),
        ("huge range", "limit"),
        ("huge string", "limit"),
    ],
)
def test_a_hostile_template_of_a_model_is_an_error_in_words(renderer: Renderer, name: str, kind: str) -> None:
    with pytest.raises(ModelError) as caught:
        chat(HOSTILE[name].source, renderer).render(TALK)
    assert caught.value.code == "prompt.template_failed" and caught.value.context["kind"] == kind
    assert "template" in caught.value.user_message and caught.value.hint


def test_deadline_holds_as_delivered(renderer: Renderer) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        chat(HOSTILE["nested loops"].source, renderer).render(TALK)
    assert caught.value.context == {"kind": "deadline", "line": 0}
    assert "too much time" in caught.value.user_message
    assert 1.5 < time.monotonic() - started < 5


def test_rendering_can_be_stopped(renderer: Renderer) -> None:
    renderer.start()
    threading.Timer(0.3, renderer.stop).start()
    started = time.monotonic()
    with pytest.raises(RenderStopped):
        chat(HOSTILE["nested loops"].source, renderer).render(TALK)
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
