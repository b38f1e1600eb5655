#!/usr/bin/env python3
"""Make the embedding model that the program runs: all-MiniLM-L6-v2 as an int8 ONNX graph.

The published weights are in safetensors; running those needs PyTorch (1.3 GB installed). This script
writes the same network as an ONNX graph, with mean pooling and normalisation inside, quantizes its
weights to 8 bits per channel, and compares the vectors with stored reference vectors before the
file counts. It needs ``onnx`` and ``onnxruntime``; the program itself needs ``onnxruntime`` alone.

Inputs of the graph: ``input_ids`` and ``attention_mask``, (n, s) int64, s ≤ 512. Output:
``embedding``, (n, 384) float32, rows L2-normalised.

Source: the network is BERT (Devlin et al., 2018); layer sizes are those of the model's ``config.json``;
pooling as in its ``1_Pooling/config.json``.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file
from tokenizers import Tokenizer

REPOSITORY_DIR = Path(__file__).resolve().parents[1]
MODEL_DIR = REPOSITORY_DIR / "resources" / "models" / "embedding" / "all-MiniLM-L6-v2"
REFERENCE_PATH = REPOSITORY_DIR / "resources" / "embedding_reference.json"
OUTPUT_NAME = "model.int8.onnx"

N_LAYERS = 6
N_HEADS = 12
HIDDEN_SIZE = 384
HEAD_SIZE = HIDDEN_SIZE // N_HEADS
LAYER_NORM_EPSILON = 1e-12
MAX_TOKENS = 256
OPSET = 20

# The last product of these layers' feed-forward part stays in fp32: its inputs hold a few very large
# values that one 8-bit scale cannot carry. See docs/decisions/0002-embedding-graph.md for the figures.
FP32_OUTPUT_LAYERS = (0, 1, 2, 3)

# What the two forms of the graph must reach against the reference vectors: (worst, mean) cosine.
MIN_COSINES_FP32 = (0.9999, 0.9999)
MIN_COSINES_INT8 = (0.975, 0.99)

Array = npt.NDArray[np.float32]


class GraphBuilder:
    """Collect nodes and constants of an ONNX graph; every method returns its output's name."""

    def __init__(self) -> None:
        """Start with an empty graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Add a constant tensor."""
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], name: str, **attributes: object) -> str:
        """Add a node with one output, called ``name``."""
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"node_{name}", **attributes))
        return name

    def linear(self, x: str, weight: Array, bias: Array, name: str) -> str:
        """Add ``x @ weight + bias``; weight is (n_in, n_out)."""
        product = self.add("MatMul", [x, self.constant(f"{name}.weight", weight)], f"{name}.product")
        return self.add("Add", [product, self.constant(f"{name}.bias", bias)], name)

    def layer_norm(self, x: str, weight: Array, bias: Array, name: str) -> str:
        """Add a layer normalisation over the last axis."""
        constants = [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.add("LayerNormalization", [x, *constants], name, axis=-1, epsilon=LAYER_NORM_EPSILON)


def add_words(graph: GraphBuilder, table: Array, *, compact: bool) -> str:
    """Add the look-up of word vectors: (n, s, 384) float32.

    Args:
        graph: Where the nodes go.
        table: One row per word piece, (30522, 384).
        compact: Keep the table in 8 bits with one scale per row. One scale for the whole table, as the
            quantizer would choose, costs 0.015 of cosine; one per row costs less than 0.0001.
    """
    if not compact:
        return graph.add("Gather", [graph.constant("word_table", table), "input_ids"], "words")
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127.0
    rows = graph.constant("word_table", np.rint(table / scales).astype(np.int8))
    looked_up = graph.add("Gather", [rows, "input_ids"], "word_rows")
    floats = graph.add("Cast", [looked_up], "word_floats", to=TensorProto.FLOAT)
    row_scales = graph.constant("word_scales", scales.astype(np.float32))
    factors = graph.add("Gather", [row_scales, "input_ids"], "word_factors")
    return graph.add("Mul", [floats, factors], "words")


def add_embeddings(graph: GraphBuilder, weights: Mapping[str, Array], *, compact: bool) -> str:
    """Add the sum of word, position and segment embeddings, normalised: (n, s, 384).

    All text is segment 0, so that row is added to the position table once.
    """
    positions = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][:1]
    )
    words = add_words(graph, weights["embeddings.word_embeddings.weight"], compact=compact)
    length = graph.add("Shape", ["input_ids"], "length", start=1, end=2)
    table = graph.constant("position_table", positions)
    zero = graph.constant("zero", np.array([0], np.int64))
    rows = graph.add("Slice", [table, zero, length, zero], "position_rows")
    summed = graph.add("Add", [words, rows], "embedded")
    return graph.layer_norm(
        summed, weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"], "x0"
    )


def add_attention(graph: GraphBuilder, x: str, bias: str, weights: Mapping[str, Array], name: str) -> str:
    """Add multi-head self-attention without its output projection: (n, s, 384).

    Query, key and value are one product, and 1/sqrt(head size) is folded into the query's weights.
    """
    scale = 1.0 / math.sqrt(HEAD_SIZE)
    parts = [(f"{name}.self.{part}", scale if part == "query" else 1.0) for part in ("query", "key", "value")]
    weight = np.concatenate([weights[f"{part}.weight"].T * factor for part, factor in parts], axis=1)
    offset = np.concatenate([weights[f"{part}.bias"] * factor for part, factor in parts])
    joined = graph.linear(x, weight.astype(np.float32), offset.astype(np.float32), f"{name}.qkv")
    split = graph.add("Reshape", [joined, "shape_heads"], f"{name}.heads")
    moved = graph.add("Transpose", [split], f"{name}.moved", perm=[2, 0, 3, 1, 4])
    query, key, value = (
        graph.add("Gather", [moved, f"index_{i}"], f"{name}.{part}", axis=0)
        for i, part in enumerate(("q", "k", "v"))
    )
    key_t = graph.add("Transpose", [key], f"{name}.k_t", perm=[0, 1, 3, 2])
    scores = graph.add("MatMul", [query, key_t], f"{name}.scores")
    masked = graph.add("Add", [scores, bias], f"{name}.masked")
    shares = graph.add("Softmax", [masked], f"{name}.shares", axis=-1)
    mixed = graph.add("MatMul", [shares, value], f"{name}.mixed")
    together = graph.add("Transpose", [mixed], f"{name}.together", perm=[0, 2, 1, 3])
    return graph.add("Reshape", [together, "shape_hidden"], f"{name}.context")


def add_layer(graph: GraphBuilder, x: str, bias: str, weights: Mapping[str, Array], i: int) -> str:
    """Add one encoder layer: attention and feed-forward, each with its residual and normalisation."""
    prefix = f"encoder.layer.{i}"

    def dense(source: str, part: str) -> str:
        full = f"{prefix}.{part}.dense"
        return graph.linear(source, weights[f"{full}.weight"].T, weights[f"{full}.bias"], full)

    def norm(source: str, part: str, name: str) -> str:
        full = f"{prefix}.{part}.LayerNorm"
        return graph.layer_norm(source, weights[f"{full}.weight"], weights[f"{full}.bias"], name)

    context = add_attention(graph, x, bias, weights, f"{prefix}.attention")
    attended = graph.add("Add", [dense(context, "attention.output"), x], f"{prefix}.residual_1")
    middle = norm(attended, "attention.output", f"{prefix}.middle")
    wide = graph.add("Gelu", [dense(middle, "intermediate")], f"{prefix}.gelu")
    summed = graph.add("Add", [dense(wide, "output"), middle], f"{prefix}.residual_2")
    return norm(summed, "output", f"x{i + 1}")


def add_pooling(graph: GraphBuilder, x: str, mask: str) -> None:
    """Add the mean over real tokens and the L2 normalisation: output ``embedding``."""
    last = graph.constant("last_axis", np.array([-1], np.int64))
    middle = graph.constant("token_axis", np.array([1], np.int64))
    column = graph.add("Unsqueeze", [mask, last], "mask_column")
    kept = graph.add("Mul", [x, column], "kept")
    total = graph.add("ReduceSum", [kept, middle], "total", keepdims=0)
    count = graph.add("ReduceSum", [column, middle], "count", keepdims=0)
    floor = graph.constant("count_floor", np.array(1e-9, np.float32))
    mean = graph.add("Div", [total, graph.add("Max", [count, floor], "count_kept")], "mean")
    norm = graph.add("ReduceL2", [mean, last], "norm", keepdims=1)
    norm_floor = graph.constant("norm_floor", np.array(1e-12, np.float32))
    graph.add("Div", [mean, graph.add("Max", [norm, norm_floor], "norm_kept")], "embedding")


def build_graph(weights: Mapping[str, Array], *, compact: bool) -> onnx.ModelProto:
    """Return the network as an ONNX model, its matrix products in fp32.

    Args:
        weights: The tensors of ``model.safetensors`` by name.
        compact: Keep the word table in 8 bits.
    """
    graph = GraphBuilder()
    graph.constant("shape_heads", np.array([0, 0, 3, N_HEADS, HEAD_SIZE], np.int64))
    graph.constant("shape_hidden", np.array([0, 0, HIDDEN_SIZE], np.int64))
    for i in range(3):
        graph.constant(f"index_{i}", np.array(i, np.int64))
    mask = graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    one = graph.constant("one", np.array(1.0, np.float32))
    absent = graph.add("Sub", [one, mask], "absent")
    # Large enough to make the share zero, small enough not to overflow in any precision.
    far = graph.add("Mul", [absent, graph.constant("far_below", np.array(-1e4, np.float32))], "far")
    head_axes = graph.constant("head_axes", np.array([1, 2], np.int64))
    bias = graph.add("Unsqueeze", [far, head_axes], "attention_bias")
    x = add_embeddings(graph, weights, compact=compact)
    for i in range(N_LAYERS):
        x = add_layer(graph, x, bias, weights, i)
    add_pooling(graph, x, mask)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "s"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", HIDDEN_SIZE])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="h2ogpt-desktop",
        ir_version=9,
    )
    onnx.checker.check_model(model)
    return model


def quantize(float_path: Path, int8_path: Path) -> None:
    """Write the graph with 8-bit weights in its matrix products, one scale per output channel.

    Weights keep 7 bits (``reduce_range``): processors without VNNI add two 8-bit products in 16 bits,
    which overflows with the full range and gives other vectors there than elsewhere.
    """
    # The quantizer advises a preparation step that this graph does not need, by a warning on the root logger.
    logging.disable(logging.WARNING)
    quantize_dynamic(
        float_path,
        int8_path,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=[f"node_encoder.layer.{i}.output.dense.product" for i in FP32_OUTPUT_LAYERS],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    logging.disable(logging.NOTSET)


def load_tokenizer(model_dir: Path) -> Tokenizer:
    """Return the model's tokenizer, cutting at 256 tokens and padding to the longest of a batch.

    The file itself asks for 128 and fixed padding, which is a setting of its training.
    """
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.enable_truncation(max_length=MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


def embed(model_path: Path, tokenizer: Tokenizer, sentences: Sequence[str]) -> Array:
    """Return the vectors of ``sentences``, (n, 384) float32, run as one padded batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
    encodings = tokenizer.encode_batch(list(sentences))
    feed = {
        "input_ids": np.array([item.ids for item in encodings], np.int64),
        "attention_mask": np.array([item.attention_mask for item in encodings], np.int64),
    }
    vectors: Array = session.run(["embedding"], feed)[0]
    return vectors


def cosines(vectors: Array, reference: Array) -> Array:
    """Return the cosine of each row with the same row of ``reference``: (n,) float32."""
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    return np.asarray((vectors * reference).sum(axis=1) / norms, np.float32)


def read_reference(path: Path) -> tuple[list[str], Array]:
    """Return the reference sentences and their vectors, (n, 384) float32."""
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = content["rows"]
    return [row["text"] for row in rows], np.array([row["vector"] for row in rows], np.float32)


def require(vectors: Array, reference: Array, minima: tuple[float, float], label: str) -> None:
    """Print the worst and mean cosine and stop if one is below its minimum.

    Raises:
        SystemExit: The vectors are not those of the published model.
    """
    values = cosines(vectors, reference)
    print(f"  {label}: cosine with the reference {values.min():.5f} at worst, {values.mean():.5f} on average")
    if not (values.min() >= minima[0] and values.mean() >= minima[1]):
        raise SystemExit(
            f"The {label} vectors differ from the reference (needed: {minima}). The file was not kept; "
            "run scripts/fetch_models.py --check."
        )


def build(model_dir: Path, reference_path: Path) -> None:
    """Build, quantize and verify; the file appears only when its vectors are right.

    Raises:
        SystemExit: The vectors differ from the reference.
    """
    weights = load_file(str(model_dir / "model.safetensors"))
    tokenizer = load_tokenizer(model_dir)
    sentences, reference = read_reference(reference_path)
    with tempfile.TemporaryDirectory(prefix="build-", dir=model_dir) as temporary:
        fp32_path, compact_path, int8_path = (Path(temporary) / f"{name}.onnx" for name in ("a", "b", "c"))
        onnx.save(build_graph(weights, compact=False), str(fp32_path))
        require(embed(fp32_path, tokenizer, sentences), reference, MIN_COSINES_FP32, "fp32")
        onnx.save(build_graph(weights, compact=True), str(compact_path))
        quantize(compact_path, int8_path)
        require(embed(int8_path, tokenizer, sentences), reference, MIN_COSINES_INT8, "int8")
        int8_path.replace(model_dir / OUTPUT_NAME)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Build all-MiniLM-L6-v2 as an int8 ONNX graph.")
    parser.add_argument("--model-dir", type=Path, default=MODEL_DIR)
    parser.add_argument("--reference", type=Path, default=REFERENCE_PATH)
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    started = time.monotonic()
    build(options.model_dir, options.reference)
    size_mib = (options.model_dir / OUTPUT_NAME).stat().st_size / 2**20
    print(f"  {OUTPUT_NAME}: {size_mib:.1f} MiB, built in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
