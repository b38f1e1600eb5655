"""Every named format writes what its publisher published; a model without a template gets the right one."""

import json

import pytest

from app.core.errors import UsageError
from app.core.prompt_formats import FORMATS, PLAIN, TOKENS, find_format, format_for

NAMES = [each.name for each in FORMATS]


def test_names_are_unique_and_described() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(each.title and each.note and each.template and each.stop for each in FORMATS)
    assert all(each.marks or each.line_marks for each in FORMATS)


def test_formats_are_found_by_name() -> None:
    assert find_format("plain") is PLAIN
    with pytest.raises(UsageError) as caught:
        find_format("klingon")
    assert caught.value.code == "prompt.unknown_format"
    assert "klingon" in caught.value.user_message and "chatml" in caught.value.hint


def test_templates_can_be_stored_as_settings() -> None:
    for each in FORMATS:
        assert json.loads(json.dumps(each.template)) == each.template


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        ("<|im_start|> <|im_end|>", "chatml"),
        ("<|start_header_id|> <|end_header_id|> <|eot_id|> [INST] [/INST]", "llama-3"),
        ("<start_of_turn> <end_of_turn>", "gemma"),
        ("<|user|> <|assistant|> <|end|> <|system|>", "phi-3"),
        ("<|prompt|> <|answer|>", "h2o-danube"),
        ("[INST] [/INST]", "mistral-v3"),
        ("<｜User｜> <｜Assistant｜>", "deepseek-r1"),
        ("<|im_start|>", "plain"),
        ("", "plain"),
    ],
)
def test_special_tokens_tell_the_format(tokens: str, name: str) -> None:
    known = set(tokens.split())
    assert format_for("llama", "some-model", known.__contains__).name == name
    assert known & TOKENS == known - {"<|system|>"}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama-2-7b-chat.Q4_K_M", "llama-2"),
        ("CodeLlama-13B-Instruct", "llama-2"),
        ("h2ogpt-4096-llama2-13b-chat", "llama-2"),
        ("llama-2-7b", "plain"),
        ("Mistral-7B-Instruct-v0.2.Q5_K_M", "mistral-v1"),
        ("mixtral 8x7b instruct", "mistral-v1"),
        ("falcon-7b-instruct", "falcon"),
        ("falcon_180b_chat", "falcon-180b"),
        ("falcon-7b", "plain"),
        ("vicuna-13b-v1.5", "vicuna"),
        ("WizardLM-13B-V1.2", "wizardlm"),
        ("wizard-vicuna-7b", "wizardlm"),
        ("WizardCoder-15B-V1.0", "wizardcoder"),
        ("wizardmath-7b", "wizardcoder"),
        ("alpaca.7b", "alpaca"),
        ("zephyr-7b-beta", "zephyr"),
        ("tinyllama-1.1b-chat-v1.0", "zephyr"),
        ("h2ogpt-oasst1-512-12b", "h2ogpt"),
        ("RedPajama-INCITE-Chat-3B", "h2ogpt"),
        ("h2ogpt-gm-oasst1-en-2048-open-llama-7b", "h2o-danube"),
        ("h2o-danube-1.8b-chat", "h2o-danube"),
        ("deepseek-llm-7b-chat", "deepseek"),
        ("gpt2", "plain"),
    ],
)
def test_names_of_models_tell_the_format(model: str, name: str) -> None:
    assert format_for("llama", model, lambda _: False).name == name


def test_the_architecture_counts_with_the_name() -> None:
    assert format_for("falcon", "my-instruct-model", lambda _: False).name == "falcon"
