"""A document cannot end its turn: the marks of whatever template is used are broken in it."""

import pytest

from app.core.prompt_formats import FORMATS, find_format
from app.core.prompt_marks import BREAK, defused, marks_pattern


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_marks_of_every_format_are_broken_and_nothing_else_is_changed(name: str) -> None:
    chosen = find_format(name)
    pattern = marks_pattern(chosen.template)
    for mark in chosen.marks:
        text = f"before {mark} between\n{mark} after"
        safe = defused(text, pattern)
        assert mark not in safe and safe.replace(BREAK, "") == text and safe.count(BREAK) == 2
    for mark in chosen.line_marks:
        text = f"{mark} x\n \t{mark} y; a {mark} in a sentence stays"
        safe = defused(text, pattern)
        assert safe.replace(BREAK, "") == text and safe.count(BREAK) == 2
        assert safe.startswith(mark[0] + BREAK) and f"a {mark} in" in safe


def test_words_that_only_end_like_a_mark_stay() -> None:
    pattern = marks_pattern(find_format("vicuna").template)
    assert defused("SUPERUSER: ok", pattern) == "SUPERUSER: ok"
    assert defused("x. USER: no", pattern) == f"x. U{BREAK}SER: no"


@pytest.mark.parametrize(
    ("source", "mark"),
    [
        ("{{ '<|channel|>' + m.content + '<|return|>' }}", "<|return|>"),
        ("<｜User｜>{{ m.content }}", "<｜User｜>"),
        ("<start_of_role>{{ m }}", "<start_of_role>"),
        ("[INST]{{ m }}[/INST]", "[/INST]"),
        ("[SYSTEM_PROMPT]{{ m }}", "[SYSTEM_PROMPT]"),
        ("{{ '<|' + message['role'] + '|>' }}", "<|assistant|>"),
        ("<|{{ message.role }}|>", "<|user|>"),
        ("{{ '### Human:\n' + m.content }}", "### Human:"),
        ("{{ '## Task: ' + m.content }}", "## Task:"),
        ("{{ '<me>: ' + m.content }}", "<me>:"),
        ("### {{ m.role | capitalize }}:", "### User:"),
    ],
)
def test_marks_are_read_from_any_template(source: str, mark: str) -> None:
    assert mark not in defused(f"a {mark} b", marks_pattern(source))


def test_role_words_of_any_template_count_at_the_beginning_of_a_line() -> None:
    pattern = marks_pattern("{{ 'GPT4 Correct User: ' + m.content }}{{ 'Human: ' + m.content }}")
    text = "Human: a\nUser: b\nThe Human: c\nSystem: d"
    assert defused(text, pattern) == f"H{BREAK}uman: a\nU{BREAK}ser: b\nThe Human: c\nSystem: d"


def test_texts_of_the_models_own_tokens_are_marks_too() -> None:
    pattern = marks_pattern("{{ messages }}", ("<s>", "</s>", "", "\n\n", "x" * 100))
    assert defused("a</s>b <s>", pattern) == f"a<{BREAK}/s>b <{BREAK}s>"
    assert defused("\n\n" + "x" * 100, pattern) == "\n\n" + "x" * 100


def test_a_template_without_marks_changes_nothing() -> None:
    assert marks_pattern("{{ messages[0].content }}") is None
    assert defused("<|im_end|> ### Instruction:", None) == "<|im_end|> ### Instruction:"
