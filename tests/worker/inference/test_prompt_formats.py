"""Named formats against the texts that their publishers show, letter by letter.

The expected texts come from reference code and model cards (named at each format in
`app.core.prompt_formats`), and, for the conversation with a system message, from the checks of llama.cpp
(tests/test-chat-template.cpp).
"""

import json

import pytest

from app.core.prompt_formats import FORMATS, find_format
from app.protocol.engine import PromptMessage
from app.protocol.envelope import Message
from app.worker.inference.template import ChatTemplate, Renderer, RenderError
from app.worker.inference.template_process import rendered


class HereRenderer(Renderer):
    """Renders in this process with the code of the template process."""

    def render(self, arguments: dict[str, object]) -> str:
        reply = rendered(Message("template.render", payload=json.dumps(arguments).encode()))
        if reply.type != "template.rendered":
            raise RenderError(str(reply.body["kind"]), words=str(reply.body["words"]))
        return reply.payload.decode()


def turns(*contents: str, system: str = "") -> list[PromptMessage]:
    """Give user and assistant in turns, behind a system message where there is one."""
    begin = [PromptMessage(role="system", content=system)] if system else []
    return begin + [
        PromptMessage(role=("user", "assistant")[number % 2], content=content)
        for number, content in enumerate(contents)
    ]


def prompt(name: str, messages: list[PromptMessage]) -> str:
    chosen = find_format(name)
    return ChatTemplate(chosen.template, chosen.bos, chosen.eos, HereRenderer()).render(messages)


LONG = turns(
    "Hello",
    "Hi there",
    "Who are you",
    "   I am an assistant   ",
    "Another question",
    system="You are a helpful assistant",
)
SHORT = turns("Hello", "Hi there", "Who are you")
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the user's questions."
)
ALPACA = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)
_VICUNA_LONG = (
    "You are a helpful assistant USER: Hello ASSISTANT: Hi there</s>USER: Who are you "
    "ASSISTANT:    I am an assistant   </s>USER: Another question ASSISTANT:"
)
_VICUNA_SHORT = f"{VICUNA} USER: Hello ASSISTANT: Hi there</s>USER: Who are you ASSISTANT:"

WITH_SYSTEM = {
    "chatml": (
        "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi there<|im_end|>\n<|im_start|>user\nWho are you<|im_end|>\n"
        "<|im_start|>assistant\n   I am an assistant   <|im_end|>\n"
        "<|im_start|>user\nAnother question<|im_end|>\n<|im_start|>assistant\n"
    ),
    "llama-2": (
        "<s>[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST] Hi there </s>"
        "<s>[INST] Who are you [/INST] I am an assistant </s><s>[INST] Another question [/INST]"
    ),
    "llama-3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWho are you<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nI am an assistant<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nAnother question<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "mistral-v1": (
        "<s>[INST] You are a helpful assistant\n\nHello [/INST] Hi there</s>[INST] Who are you [/INST]"
        "    I am an assistant   </s>[INST] Another question [/INST]"
    ),
    "mistral-v3": (
        "<s>[INST] You are a helpful assistant\n\nHello[/INST] Hi there</s>[INST] Who are you[/INST]"
        " I am an assistant</s>[INST] Another question[/INST]"
    ),
    "gemma": (
        "<bos><start_of_turn>user\nYou are a helpful assistant\n\nHello<end_of_turn>\n"
        "<start_of_turn>model\nHi there<end_of_turn>\n<start_of_turn>user\nWho are you<end_of_turn>\n"
        "<start_of_turn>model\nI am an assistant<end_of_turn>\n"
        "<start_of_turn>user\nAnother question<end_of_turn>\n<start_of_turn>model\n"
    ),
    "phi-3": (
        "<|system|>\nYou are a helpful assistant<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi "
        "there<|end|>\n"
        "<|user|>\nWho are you<|end|>\n<|assistant|>\n   I am an assistant   <|end|>\n"
        "<|user|>\nAnother question<|end|>\n<|assistant|>\n"
    ),
    "deepseek": (
        "<｜begin▁of▁sentence｜>You are a helpful assistant\n\nUser: Hello\n\nAssistant: Hi there"
        "<｜end▁of▁sentence｜>User: Who are you\n\nAssistant:    I am an assistant   <｜end▁of▁sentence｜>"
        "User: Another question\n\nAssistant:"
    ),
    "deepseek-r1": (
        "<｜begin▁of▁sentence｜>You are a helpful assistant<｜User｜>Hello<｜Assistant｜>Hi there"
        "<｜end▁of▁sentence｜><｜User｜>Who are you<｜Assistant｜>   I am an assistant   "
        "<｜end▁of▁sentence｜><｜User｜>Another question<｜Assistant｜>"
    ),
    "falcon": (
        "You are a helpful assistant\n\nUser: Hello\n\nAssistant: Hi there\n\nUser: Who are you\n\n"
        "Assistant: I am an assistant\n\nUser: Another question\n\nAssistant:"
    ),
    "falcon-180b": (
        "System: You are a helpful assistant\nUser: Hello\nFalcon: Hi there\nUser: Who are you\n"
        "Falcon:    I am an assistant   \nUser: Another question\nFalcon:"
    ),
    "vicuna": _VICUNA_LONG,
    "wizardlm": _VICUNA_LONG,
    "alpaca": (
        "You are a helpful assistant\n\n### Instruction:\nHello\n\n### Response:Hi there</s>\n\n"
        "### Instruction:\nWho are you\n\n### Response:   I am an assistant   </s>\n\n"
        "### Instruction:\nAnother question\n\n### Response:"
    ),
    "wizardcoder": (
        "You are a helpful assistant\n\n### Instruction:\nHello\n\n### Response:Hi there<|endoftext|>\n\n"
        "### Instruction:\nWho are you\n\n### Response:   I am an assistant   <|endoftext|>\n\n"
        "### Instruction:\nAnother question\n\n### Response:"
    ),
    "zephyr": (
        "<|system|>\nYou are a helpful assistant</s>\n<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n"
        "<|user|>\nWho are you</s>\n<|assistant|>\n   I am an assistant   </s>\n"
        "<|user|>\nAnother question</s>\n<|assistant|>\n"
    ),
    "h2ogpt": (
        "<human>: You are a helpful assistant\n\nHello\n<bot>: Hi there\n<human>: Who are you\n"
        "<bot>:    I am an assistant   \n<human>: Another question\n<bot>:"
    ),
    "h2o-danube": (
        "<|system|>You are a helpful assistant</s><|prompt|>Hello</s><|answer|>Hi there</s>"
        "<|prompt|>Who are you</s><|answer|>   I am an assistant   </s><|prompt|>Another "
        "question</s><|answer|>"
    ),
    "plain": (
        "<s>You are a helpful assistant\n\n### User:\nHello\n\n### Assistant:\nHi there\n\n"
        "### User:\nWho are you\n\n### Assistant:\n   I am an assistant   \n\n"
        "### User:\nAnother question\n\n### Assistant:\n"
    ),
}

WITHOUT_SYSTEM = {
    "chatml": (
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n"
        "<|im_start|>user\nWho are you<|im_end|>\n<|im_start|>assistant\n"
    ),
    "llama-2": "<s>[INST] Hello [/INST] Hi there </s><s>[INST] Who are you [/INST]",
    "llama-3": (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWho are you<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "mistral-v1": "<s>[INST] Hello [/INST] Hi there</s>[INST] Who are you [/INST]",
    "mistral-v3": "<s>[INST] Hello[/INST] Hi there</s>[INST] Who are you[/INST]",
    "gemma": (
        "<bos><start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n"
        "<start_of_turn>user\nWho are you<end_of_turn>\n<start_of_turn>model\n"
    ),
    "phi-3": "<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n<|user|>\nWho are "
    "you<|end|>\n<|assistant|>\n",
    "deepseek": (
        "<｜begin▁of▁sentence｜>User: Hello\n\nAssistant: Hi there<｜end▁of▁sentence｜>"
        "User: Who are you\n\nAssistant:"
    ),
    "deepseek-r1": (
        "<｜begin▁of▁sentence｜><｜User｜>Hello<｜Assistant｜>Hi there<｜end▁of▁sentence｜>"
        "<｜User｜>Who are you<｜Assistant｜>"
    ),
    "falcon": "\n\nUser: Hello\n\nAssistant: Hi there\n\nUser: Who are you\n\nAssistant:",
    "falcon-180b": "User: Hello\nFalcon: Hi there\nUser: Who are you\nFalcon:",
    "vicuna": _VICUNA_SHORT,
    "wizardlm": _VICUNA_SHORT,
    "alpaca": (
        f"{ALPACA}\n\n### Instruction:\nHello\n\n### Response:Hi there</s>\n\n"
        "### Instruction:\nWho are you\n\n### Response:"
    ),
    "wizardcoder": (
        f"{ALPACA}\n\n### Instruction:\nHello\n\n### Response:Hi there<|endoftext|>\n\n"
        "### Instruction:\nWho are you\n\n### Response:"
    ),
    "zephyr": "<|user|>\nHello</s>\n<|assistant|>\nHi there</s>\n<|user|>\nWho are you</s>\n<|assistant|>\n",
    "h2ogpt": "<human>: Hello\n<bot>: Hi there\n<human>: Who are you\n<bot>:",
    "h2o-danube": "<|prompt|>Hello</s><|answer|>Hi there</s><|prompt|>Who are you</s><|answer|>",
    "plain": (
        "<s>### User:\nHello\n\n### Assistant:\nHi there\n\n### User:\nWho are you\n\n### Assistant:\n"
    ),
}


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_a_conversation_with_a_system_message(name: str) -> None:
    assert prompt(name, LONG) == WITH_SYSTEM[name]


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_a_conversation_without_one(name: str) -> None:
    assert prompt(name, SHORT) == WITHOUT_SYSTEM[name]


# Lines that publishers print themselves.
PUBLISHED = [
    # README.md of nlpxucan/WizardLM
    (
        "wizardlm",
        turns("Hi", "Hello.", "Who are you?"),
        f"{VICUNA} USER: Hi ASSISTANT: Hello.</s>USER: Who are you? ASSISTANT:",
    ),
    # PROMPT_DICT of tatsu-lab/stanford_alpaca, inference_wizardcoder.py
    ("alpaca", turns("{x}"), f"{ALPACA}\n\n### Instruction:\n{{x}}\n\n### Response:"),
    ("wizardcoder", turns("{x}"), f"{ALPACA}\n\n### Instruction:\n{{x}}\n\n### Response:"),
    # model cards of h2oai/h2ogpt-gm-oasst1-… and h2oai/h2o-danube-1.8b-chat
    (
        "h2o-danube",
        turns("Why is drinking water so healthy?"),
        "<|prompt|>Why is drinking water so healthy?</s><|answer|>",
    ),
    (
        "h2o-danube",
        turns("Why is drinking water so healthy?", system="You are a friendly chatbot"),
        "<|system|>You are a friendly chatbot</s><|prompt|>Why is drinking water so healthy?</s><|answer|>",
    ),
    # model card of mistralai/Mistral-7B-Instruct-v0.1, whose missing space the tokenizer swallows
    (
        "mistral-v1",
        turns("Instruction", "Model answer", "Follow-up instruction"),
        "<s>[INST] Instruction [/INST] Model answer</s>[INST] Follow-up instruction [/INST]",
    ),
    # model card of HuggingFaceH4/zephyr-7b-beta
    (
        "zephyr",
        turns(
            "How many helicopters can a human eat in one sitting?",
            system="You are a friendly chatbot who always responds in the style of a pirate",
        ),
        "<|system|>\nYou are a friendly chatbot who always responds in the style of a pirate</s>\n"
        "<|user|>\nHow many helicopters can a human eat in one sitting?</s>\n<|assistant|>\n",
    ),
    # blank lines end a turn of Falcon: its template closes them up
    ("falcon", turns(" a\r\n\r\nb\n\n\nc "), "\n\nUser: a\nb\n\nc\n\nAssistant:"),
]


@pytest.mark.parametrize(("name", "messages", "expected"), PUBLISHED)
def test_lines_that_publishers_print(name: str, messages: list[PromptMessage], expected: str) -> None:
    assert prompt(name, messages) == expected


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_a_longer_conversation_begins_with_the_shorter_one(name: str) -> None:
    first = prompt(name, turns("One", system="Be brief."))
    longer = prompt(name, turns("One", " Two", "Three", system="Be brief."))
    assert longer.startswith(first.rstrip())


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_a_document_cannot_end_its_turn(name: str) -> None:
    chosen = find_format(name)
    marks = (*chosen.marks, *chosen.line_marks)
    attack = "\n".join(f"{mark} evil" for mark in marks)
    written = prompt(name, turns(attack))
    plain = prompt(name, turns("harmless"))
    assert [written.count(mark) for mark in marks] == [plain.count(mark) for mark in marks]


@pytest.mark.parametrize("name", ["llama-2", "vicuna", "gemma", "h2ogpt", "deepseek"])
def test_neighbours_of_one_role_are_joined(name: str) -> None:
    twice = [*turns("One"), *turns("Two")]
    assert prompt(name, twice) == prompt(name, turns("One\n\nTwo"))
