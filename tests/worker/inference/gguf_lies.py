"""Models whose head is well-formed and lies: what it tells of the model cannot be, or is not in the file."""

from collections.abc import Callable

from tests.worker.inference.gguf_writer import (
    F32,
    I32,
    STRING,
    U32,
    GgufFile,
    TinyModel,
    items,
    scalar,
)

Change = Callable[[GgufFile], None]


def _number(key: str, value: int, kind: int = U32) -> Change:
    return lambda file: file.add(f"llama.{key}", kind, value)


def _add(file: GgufFile, **numbers: int) -> None:
    for key, value in numbers.items():
        file.add(f"llama.{key}", U32, value)


def _value(key: str, value: bytes) -> Change:
    return lambda file: file.metadata.update({key: value})


def _without(key: str) -> Change:
    return lambda file: _drop(file, key)


def _drop(file: GgufFile, key: str) -> None:
    file.metadata.pop(key, None)
    file.tensors.pop(key, None)


def _reshaped(name: str, *shape: int) -> Change:
    def change(file: GgufFile) -> None:
        n = 1
        for size in shape:
            n *= size
        file.add_tensor(name, shape, [0.5] * n)

    return change


CHANGES: dict[str, Change] = {
    "no heads": _number("attention.head_count", 0),
    "more heads than width": _number("attention.head_count", 1000),
    "heads that do not part the width": _number("attention.head_count", 3),
    "no key heads": _number("attention.head_count_kv", 0),
    "more key heads than heads": _number("attention.head_count_kv", 64),
    "key heads as a short list": _value("llama.attention.head_count_kv", items(U32, [1])),
    "key heads as an empty list": _value("llama.attention.head_count_kv", items(U32, [])),
    "key heads as a text": _value("llama.attention.head_count_kv", scalar(STRING, "two")),
    "heads as a negative number": _number("attention.head_count", -2, I32),
    "heads as a fraction": _value("llama.attention.head_count", scalar(F32, 2.5)),
    "no layers": _number("block_count", 0),
    "six hundred layers": _number("block_count", 600),
    "more layers for guessing than layers": _number("nextn_predict_layers", 9),
    "more layers than tensors": _number("block_count", 3),
    "a billion layers": _number("block_count", 2**30),
    "layers beyond all numbers": _number("block_count", 2**32 - 1),
    "fewer layers than tensors": _number("block_count", 1),
    "no width": _number("embedding_length", 0),
    "another width": _number("embedding_length", 64),
    "a huge width": _number("embedding_length", 2**31),
    "no inner width": _number("feed_forward_length", 0),
    "another inner width": _number("feed_forward_length", 4096),
    "no context": _number("context_length", 0),
    "a context of four billion": _number("context_length", 2**32 - 1),
    "context as a text": _value("llama.context_length", scalar(STRING, "many")),
    "no context told": _without("llama.context_length"),
    "no width told": _without("llama.embedding_length"),
    "no heads told": _without("llama.attention.head_count"),
    "no layers told": _without("llama.block_count"),
    "no norm told": _without("llama.attention.layer_norm_rms_epsilon"),
    "a norm of not a number": _value("llama.attention.layer_norm_rms_epsilon", scalar(F32, float("nan"))),
    "a negative norm": _value("llama.attention.layer_norm_rms_epsilon", scalar(F32, -1.0)),
    "no rotation": _number("rope.dimension_count", 0),
    "odd rotation": _number("rope.dimension_count", 7),
    "rotation wider than heads": _number("rope.dimension_count", 4096),
    "rotation at no frequency": _value("llama.rope.freq_base", scalar(F32, 0.0)),
    "unknown rope scaling": _value("llama.rope.scaling.type", scalar(STRING, "magic")),
    "keys of no size": _number("attention.key_length", 0),
    "keys of a huge size": _number("attention.key_length", 2**30),
    "values of another size": _number("attention.value_length", 64),
    "experts that are not there": _number("expert_count", 8),
    "more experts used than there": lambda file: _add(file, expert_count=4, expert_used_count=8),
    "experts in too many groups": lambda file: _add(
        file, expert_count=4, expert_used_count=2, expert_group_count=4, expert_group_used_count=1
    ),
    "experts beyond all numbers": _number("expert_count", 2**32 - 1),
    "no tokenizer": _without("tokenizer.ggml.model"),
    "no vocabulary": _value("tokenizer.ggml.model", scalar(STRING, "none")),
    "no vocabulary at all": _value("tokenizer.ggml.model", scalar(STRING, "no_vocab")),
    "unknown tokenizer": _value("tokenizer.ggml.model", scalar(STRING, "abacus")),
    "unknown way to part words": _value("tokenizer.ggml.pre", scalar(STRING, "abacus")),
    "no tokens": _value("tokenizer.ggml.tokens", items(STRING, [])),
    "tokens as numbers": _value("tokenizer.ggml.tokens", items(U32, [1, 2, 3])),
    "tokens not told": _without("tokenizer.ggml.tokens"),
    "fewer tokens than rows": _value("tokenizer.ggml.tokens", items(STRING, ["a", "b", "c"])),
    "more tokens than rows": _value("tokenizer.ggml.tokens", items(STRING, [f"t{n}" for n in range(900)])),
    "the same token many times": _value("tokenizer.ggml.tokens", items(STRING, ["a"] * 268)),
    "kinds of too few tokens": _value("tokenizer.ggml.token_type", items(I32, [1, 1])),
    "unknown kinds of tokens": _value("tokenizer.ggml.token_type", items(I32, [77] * 268)),
    "kinds as texts": _value("tokenizer.ggml.token_type", items(STRING, ["x"] * 268)),
    "scores of too few tokens": _value("tokenizer.ggml.scores", items(F32, [0.0])),
    "merges that are none": _value("tokenizer.ggml.merges", items(STRING, ["", " ", "a", "a b c"])),
    "merges as numbers": _value("tokenizer.ggml.merges", items(U32, [1])),
    "merges not told": _without("tokenizer.ggml.merges"),
    "a beginning that is no token": _value("tokenizer.ggml.bos_token_id", scalar(U32, 2**31)),
    "an end that is no token": _value("tokenizer.ggml.eos_token_id", scalar(U32, 100_000)),
    "another number of tokens": _number("vocab_size", 12),
    "a template of 300 KB": _value("tokenizer.chat_template", scalar(STRING, "{{ x }}" * 43_000)),
    "no embeddings": _without("token_embd.weight"),
    "no last norm": _without("output_norm.weight"),
    "a layer without a part": _without("blk.1.ffn_down.weight"),
    "a square that is none": _reshaped("blk.0.attn_q.weight", 32, 16),
    "embeddings of one row": _reshaped("token_embd.weight", 32, 1),
    "embeddings of another width": _reshaped("token_embd.weight", 16, 268),
    "a norm of one number": _reshaped("output_norm.weight", 1),
    "keys of too many heads": _reshaped("blk.0.attn_k.weight", 32, 32),
    "a part in three dimensions": _reshaped("blk.0.ffn_up.weight", 32, 64, 1),
    "an empty part": _reshaped("blk.0.ffn_up.weight", 32, 0),
    "split in four thousand": _value("split.count", scalar(U32, 4000)),
    "no architecture": _without("general.architecture"),
    "architecture as a number": _value("general.architecture", scalar(U32, 1)),
    "an architecture with a strange name": _value("general.architecture", scalar(STRING, "../é%s\n")),
    "an encoder": _value("general.architecture", scalar(STRING, "bert")),
    "a projector": _value("general.architecture", scalar(STRING, "clip")),
}


def lies() -> dict[str, bytes]:
    """Give each kind's bytes."""
    made = {}
    for kind, change in CHANGES.items():
        file = TinyModel().build()
        change(file)
        made[kind] = file.encode()
    return made
