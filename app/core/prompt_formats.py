"""How models want a conversation written, for files that bring no chat template of their own.

Each named format is a Jinja template as `app.worker.inference.template_process` renders it: `messages` of
`role` and `content`, `bos_token`, `eos_token`; it ends where the assistant's turn begins. A format that has
no place for a system message refuses it; the renderer then puts the system's words before the first question.

The marks of a format are what would end a turn if a document contained them (`app.core.prompt_marks`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import UsageError


@dataclass(frozen=True)
class PromptFormat:
    """A published way to write turns.

    Attributes:
        name: stable, for settings and the command line.
        title: for people.
        note: which models it is for, for people.
        template: Jinja source.
        stop: strings that end an answer where no token of the model does.
        marks: begin or end turns, wherever they stand.
        line_marks: do so at the beginning of a line only; words that ordinary text uses too.
        tokens: a vocabulary that knows all of them as tokens was made for this format.
        models: pattern of the names of models that were trained with it, in lower case; empty for none.
        bos: text of the beginning token of such models, for a preview without a model.
        eos: text of their ending token.
    """

    name: str
    title: str
    note: str
    template: str
    stop: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    line_marks: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    models: str = ""
    bos: str = "<s>"
    eos: str = "</s>"


# --------------------------------------------------------------------------------- parts of several templates

_ALTERNATE = (
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('User and assistant must take turns, beginning with the user.') }}{% endif %}"
)
_NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}"
    "{{ raise_exception('This format has no system message.') }}{% endif %}"
)


def _split_system(default: str = "") -> str:
    """Give the statement that sets `system` and `turns`; `default`: published for where none is given."""
    return (
        "{% if messages[0].role == 'system' %}"
        "{% set system = messages[0].content %}{% set turns = messages[1:] %}"
        f"{{% else %}}{{% set system = {default!r} %}}{{% set turns = messages %}}{{% endif %}}"
    )


def _turns(user: str, assistant: str, each: str = _ALTERNATE) -> str:
    """Give the loop over the turns with the expressions that write them."""
    return (
        f"{{% for message in turns %}}{each}"
        f"{{% if message.role == 'user' %}}{{{{ {user} }}}}{{% else %}}{{{{ {assistant} }}}}{{% endif %}}"
        "{% endfor %}"
    )


_VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
_VICUNA = (
    _split_system(_VICUNA_SYSTEM)
    + "{{ system + ' ' }}"
    + _turns("'USER: ' + message.content + ' '", "'ASSISTANT: ' + message.content + eos_token")
    + "ASSISTANT:"
)
_VICUNA_MARKS = ("USER:", "ASSISTANT:")

_ALPACA_SYSTEM = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)
_ALPACA = (
    _split_system(_ALPACA_SYSTEM)
    + "{{ system + '\n\n' }}"
    + _turns(
        "'### Instruction:\n' + message.content + '\n\n'",
        "'### Response:' + message.content + eos_token + '\n\n'",
    )
    + "### Response:"
)
_ALPACA_MARKS = ("### Instruction:", "### Response:")

_INST_MARKS = ("[INST]", "[/INST]")

# ------------------------------------------------------------------------------------------------ the formats

# Source: the ChatML description of OpenAI's repository openai-python (chatml.md, v0); the chat template of
# teknium/OpenHermes-2.5-Mistral-7B.
_CHATML = PromptFormat(
    name="chatml",
    title="ChatML",
    note="Qwen, SmolLM, Yi, Hermes, Dolphin and many others",
    template=(
        "{% for message in messages %}"
        "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
        "{% endfor %}"
        "{{ '<|im_start|>assistant\n' }}"
    ),
    stop=("<|im_end|>", "<|im_start|>"),
    marks=("<|im_start|>", "<|im_end|>"),
    tokens=("<|im_start|>", "<|im_end|>"),
    eos="<|im_end|>",
)

# Source: chat_completion in llama/generation.py of meta-llama/llama; “How to prompt Llama 2”,
# huggingface.co/blog/llama2.
_LLAMA_2 = PromptFormat(
    name="llama-2",
    title="Llama 2 chat",
    note="Llama 2 chat, Code Llama instruct, h2oGPT on Llama 2",
    template=(
        _split_system()
        + "{% if system %}{% set start = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' %}"
        + "{% else %}{% set start = '' %}{% endif %}"
        + _turns(
            "bos_token + '[INST] ' + ((start if loop.first else '') + message.content).strip() + ' [/INST]'",
            "' ' + message.content.strip() + ' ' + eos_token",
        )
    ),
    stop=("[INST]",),
    marks=(*_INST_MARKS, "<<SYS>>", "<</SYS>>"),
    models=r"llama-?2.*chat|codellama.*instruct|h2ogpt.*llama-?2",
)

# Source: “Meta Llama 3: model cards and prompt formats”, llama.meta.com; ChatFormat in llama/tokenizer.py of
# meta-llama/llama3.
_LLAMA_3 = PromptFormat(
    name="llama-3",
    title="Llama 3",
    note="Llama 3, 3.1, 3.2 and 3.3 instruct",
    template=(
        "{{ bos_token }}{% for message in messages %}"
        "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}"
        "{{ message.content | trim }}<|eot_id|>{% endfor %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    ),
    stop=("<|eot_id|>", "<|start_header_id|>"),
    marks=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    tokens=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    bos="<|begin_of_text|>",
    eos="<|end_of_text|>",
)

# Source: the model card of mistralai/Mistral-7B-Instruct-v0.1, “Instruction format”; where the system's words
# stand: the chat template of v0.2. The tokenizer itself puts the space before `[INST]`.
_MISTRAL_V1 = PromptFormat(
    name="mistral-v1",
    title="Mistral instruct, up to v0.2",
    note="Mistral 7B instruct v0.1 and v0.2, Mixtral 8x7B instruct",
    template=(
        _split_system()
        + "{{ bos_token }}"
        + _turns(
            "'[INST] ' + (system + '\n\n' if system and loop.first else '') + message.content + ' [/INST]'",
            "' ' + message.content + eos_token",
        )
    ),
    stop=("[INST]",),
    marks=_INST_MARKS,
    models=r"mi[sx]tral.*instruct",
)

# Source: the chat template of mistralai/Mistral-7B-Instruct-v0.3 and Mistral-Large-Instruct-2407; the
# system's words stand before the first question, so that the prompt only grows from turn to turn.
_MISTRAL_V3 = PromptFormat(
    name="mistral-v3",
    title="Mistral instruct, from v0.3 on",
    note="Mistral 7B instruct v0.3, Mixtral 8x22B instruct",
    template=(
        _split_system()
        + "{{ bos_token }}"
        + _turns(
            "'[INST] ' + (system + '\n\n' if system and loop.first else '') + message.content + '[/INST]'",
            "' ' + (message.content | trim) + eos_token",
        )
    ),
    stop=("[INST]",),
    marks=_INST_MARKS,
    tokens=_INST_MARKS,
)

# Source: the chat template of tiiuae/falcon-7b-instruct (also FastChat, fastchat/conversation.py, `falcon`):
# blank lines inside a turn are closed up, because one ends it.
_FALCON = PromptFormat(
    name="falcon",
    title="Falcon instruct",
    note="Falcon 7B and 40B instruct",
    template=(
        _split_system()
        + "{{ system | trim }}"
        + _turns(
            "'\n\nUser: ' + message.content.strip().replace('\\r\\n', '\n').replace('\n\n', '\n')",
            "'\n\nAssistant: ' + message.content.strip().replace('\\r\\n', '\n').replace('\n\n', '\n')",
        )
        + "{{ '\n\nAssistant:' }}"
    ),
    stop=("\nUser:",),
    line_marks=("User:", "Assistant:"),
    models=r"falcon.*(instruct|chat)",
    bos="",
    eos="<|endoftext|>",
)

# Source: format_prompt in app.py of the space tiiuae/falcon-180b-demo; the model card of
# tiiuae/falcon-180B-chat.
_FALCON_180B = PromptFormat(
    name="falcon-180b",
    title="Falcon 180B chat",
    note="Falcon 180B chat",
    template=(
        _split_system()
        + "{% if system %}{{ 'System: ' + system + '\n' }}{% endif %}"
        + _turns("'User: ' + message.content + '\n'", "'Falcon: ' + message.content + '\n'")
        + "Falcon:"
    ),
    stop=("\nUser:", "\nFalcon:"),
    line_marks=("User:", "Falcon:", "System:"),
    models=r"falcon.*180b.*chat",
    bos="",
    eos="<|endoftext|>",
)

# Source: docs/vicuna_weights_version.md of lm-sys/FastChat and `vicuna_v1.1` in fastchat/conversation.py.
_VICUNA_FORMAT = PromptFormat(
    name="vicuna",
    title="Vicuna 1.1",
    note="Vicuna 1.1 to 1.5 and models made from it",
    template=_VICUNA,
    stop=("USER:", "</s>"),
    marks=_VICUNA_MARKS,
    models=r"vicuna",
)

# Source: README.md of nlpxucan/WizardLM, WizardLM/src/infer_wizardlm13b.py: Vicuna's form.
_WIZARD_LM = PromptFormat(
    name="wizardlm",
    title="WizardLM",
    note="WizardLM 13B and 30B, WizardLM-2",
    template=_VICUNA,
    stop=("USER:", "</s>"),
    marks=_VICUNA_MARKS,
    models=r"wizard-?lm|wizard-?vicuna",
)

# Source: WizardCoder/src/inference_wizardcoder.py of nlpxucan/WizardLM: Alpaca's form.
_WIZARD_CODER = PromptFormat(
    name="wizardcoder",
    title="WizardCoder",
    note="WizardCoder and WizardMath",
    template=_ALPACA,
    stop=("### Instruction:",),
    marks=_ALPACA_MARKS,
    models=r"wizard-?(coder|math)",
    eos="<|endoftext|>",
)

# Source: PROMPT_DICT in train.py of tatsu-lab/stanford_alpaca. It was published for one turn; further ones
# repeat it without its first sentence, and an answer ends with the ending token as it did in training.
_ALPACA_FORMAT = PromptFormat(
    name="alpaca",
    title="Alpaca",
    note="Alpaca and the many models trained on its kind of instructions",
    template=_ALPACA,
    stop=("### Instruction:",),
    marks=_ALPACA_MARKS,
    models=r"alpaca",
)

# Source: the model card and the chat template of HuggingFaceH4/zephyr-7b-beta;
# TinyLlama/TinyLlama-1.1B-Chat-v1.0.
_ZEPHYR = PromptFormat(
    name="zephyr",
    title="Zephyr",
    note="Zephyr 7B, TinyLlama chat, StableLM Zephyr",
    template=(
        "{% for message in messages %}"
        "{{ '<|' + message.role + '|>\n' + message.content + eos_token + '\n' }}"
        "{% endfor %}"
        "{{ '<|assistant|>\n' }}"
    ),
    stop=("<|user|>", "<|system|>"),
    marks=("<|system|>", "<|user|>", "<|assistant|>"),
    models=r"zephyr|tinyllama.*chat",
)

# Source: “Gemma formatting and system instructions”, ai.google.dev; the chat template of google/gemma-7b-it.
_GEMMA = PromptFormat(
    name="gemma",
    title="Gemma",
    note="Gemma 1, 2 and 3, instruction tuned",
    template=(
        _NO_SYSTEM
        + "{{ bos_token }}{% set turns = messages %}"
        + _turns(
            "'<start_of_turn>user\n' + message.content.strip() + '<end_of_turn>\n'",
            "'<start_of_turn>model\n' + message.content.strip() + '<end_of_turn>\n'",
        )
        + "{{ '<start_of_turn>model\n' }}"
    ),
    stop=("<end_of_turn>", "<start_of_turn>"),
    marks=("<start_of_turn>", "<end_of_turn>"),
    tokens=("<start_of_turn>", "<end_of_turn>"),
    bos="<bos>",
    eos="<eos>",
)

# Source: the model card of microsoft/Phi-3-mini-4k-instruct, “Chat Format”.
_PHI_3 = PromptFormat(
    name="phi-3",
    title="Phi-3",
    note="Phi-3 and Phi-3.5",
    template=(
        "{% for message in messages %}"
        "{{ '<|' + message.role + '|>\n' + message.content + '<|end|>\n' }}"
        "{% endfor %}"
        "{{ '<|assistant|>\n' }}"
    ),
    stop=("<|end|>", "<|user|>"),
    marks=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    tokens=("<|user|>", "<|assistant|>", "<|end|>"),
    eos="<|endoftext|>",
)

# Source: prompt type `human_bot` in src/prompter.py of h2oai/h2ogpt: the space behind `<bot>:` is the model's
# to write.
_HUMAN_BOT = PromptFormat(
    name="h2ogpt",
    title="h2oGPT human and bot",
    note="The first h2oGPT models (oasst1), RedPajama INCITE chat",
    template=(
        _NO_SYSTEM
        + "{% set turns = messages %}"
        + _turns("'<human>: ' + message.content + '\n'", "'<bot>: ' + message.content + '\n'")
        + "<bot>:"
    ),
    stop=("<human>:", "<bot>:"),
    marks=("<human>:", "<bot>:"),
    models=r"h2ogpt|redpajama.*chat",
    bos="",
    eos="<|endoftext|>",
)

# Source: the model cards of h2oai/h2o-danube-1.8b-chat and h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-7b;
# prompt type `prompt_answer` in src/prompter.py of h2oai/h2ogpt.
_DANUBE = PromptFormat(
    name="h2o-danube",
    title="H2O Danube",
    note="H2O Danube 1 to 3 chat, h2oGPT models from LLM Studio (h2ogpt-gm)",
    template=(
        _split_system()
        + "{% if system %}{{ '<|system|>' + system + eos_token }}{% endif %}"
        + _turns("'<|prompt|>' + message.content + eos_token", "'<|answer|>' + message.content + eos_token")
        + "<|answer|>"
    ),
    stop=("<|prompt|>", "<|answer|>"),
    marks=("<|prompt|>", "<|answer|>", "<|system|>"),
    tokens=("<|prompt|>", "<|answer|>"),
    models=r"danube.*chat|h2ogpt-gm",
)

# Source: the chat template of deepseek-ai/deepseek-llm-7b-chat and DeepSeek-V2-Chat.
_DEEPSEEK = PromptFormat(
    name="deepseek",
    title="DeepSeek chat",
    note="DeepSeek LLM and DeepSeek V2 chat",
    template=(
        _split_system()
        + "{{ bos_token }}{% if system %}{{ system + '\n\n' }}{% endif %}"
        + _turns("'User: ' + message.content + '\n\n'", "'Assistant: ' + message.content + eos_token")
        + "Assistant:"
    ),
    stop=("\nUser:",),
    line_marks=("User:", "Assistant:"),
    models=r"deepseek.*chat",
    bos="<｜begin▁of▁sentence｜>",
    eos="<｜end▁of▁sentence｜>",
)

# Source: “Chat template” in the model card of deepseek-ai/DeepSeek-V3.1; the chat template of DeepSeek-R1.
_DEEPSEEK_R1 = PromptFormat(
    name="deepseek-r1",
    title="DeepSeek V3 and R1",
    note="DeepSeek V3, R1 and the models distilled from it",
    template=(
        _split_system()
        + "{{ bos_token + system }}"
        + _turns("'<｜User｜>' + message.content", "'<｜Assistant｜>' + message.content + eos_token")
        + "<｜Assistant｜>"
    ),
    stop=("<｜User｜>",),
    marks=("<｜User｜>", "<｜Assistant｜>"),
    tokens=("<｜User｜>", "<｜Assistant｜>"),
    bos="<｜begin▁of▁sentence｜>",
    eos="<｜end▁of▁sentence｜>",
)

# Our own, for models that know no turns at all: headings as Markdown writes them.
PLAIN = PromptFormat(
    name="plain",
    title="Plain text",
    note="Models that were not trained to chat",
    template=(
        "{{ bos_token }}{% for message in messages %}"
        "{% if message.role == 'system' %}{{ message.content }}\n\n"
        "{% else %}### {{ message.role | capitalize }}:\n{{ message.content }}\n\n{% endif %}"
        "{% endfor %}{{ '### Assistant:\n' }}"
    ),
    stop=("\n### User:",),
    marks=("### User:", "### Assistant:"),
)

FORMATS = (
    _CHATML,
    _LLAMA_2,
    _LLAMA_3,
    _MISTRAL_V1,
    _MISTRAL_V3,
    _GEMMA,
    _PHI_3,
    _DEEPSEEK,
    _DEEPSEEK_R1,
    _FALCON,
    _FALCON_180B,
    _VICUNA_FORMAT,
    _WIZARD_LM,
    _WIZARD_CODER,
    _ALPACA_FORMAT,
    _ZEPHYR,
    _HUMAN_BOT,
    _DANUBE,
    PLAIN,
)
"""All of them, in the order in which people look through them."""

# The most particular first: Zephyr's words are tokens of Phi-3's vocabulary, WizardCoder's name holds
# “wizard”.
_BY_TOKENS = (_LLAMA_3, _GEMMA, _DEEPSEEK_R1, _DANUBE, _PHI_3, _CHATML, _MISTRAL_V3)
_BY_NAME = (
    _WIZARD_CODER,
    _WIZARD_LM,
    _LLAMA_2,
    _DANUBE,
    _HUMAN_BOT,
    _FALCON_180B,
    _FALCON,
    _ZEPHYR,
    _VICUNA_FORMAT,
    _ALPACA_FORMAT,
    _DEEPSEEK,
    _MISTRAL_V1,
)

TOKENS = frozenset(token for each in _BY_TOKENS for token in each.tokens)
"""Texts that `format_for` asks a vocabulary for."""


def find_format(name: str) -> PromptFormat:
    """Give a format by its name.

    Raises:
        UsageError: `prompt.unknown_format`.
    """
    for each in FORMATS:
        if each.name == name:
            return each
    raise UsageError(
        "prompt.unknown_format",
        f"There is no prompt format called “{name}”.",
        "Choose one of: " + ", ".join(each.name for each in FORMATS) + ".",
    )


def format_for(architecture: str, name: str, knows: Callable[[str], bool]) -> PromptFormat:
    """Choose the format of a model that brings no template: by its special tokens, then by its name.

    Args:
        architecture: as the file says, `falcon`.
        name: of the file and the model, in any case: `wizardlm-13b-v1.2.Q4_K_M`.
        knows: whether a text is one token of its vocabulary.
    """
    for each in _BY_TOKENS:
        if all(knows(token) for token in each.tokens):
            return each
    words = f"{architecture} {name}".lower().replace("_", "-").replace(" ", "-")
    for each in _BY_NAME:
        if re.search(each.models, words):
            return each
    return PLAIN
