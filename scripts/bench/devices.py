#!/usr/bin/env python3
"""Run the starter model on every device of an engine with plug-ins, and compare what they write.

    .venv/bin/python scripts/bench/devices.py WHEEL [--json] [--tokens 16]

WHEEL is what scripts/build_engine.py made. The starter model runs as it is and with its weights written out
as float16: the processor rounds what it multiplies with quantized weights to 8 bits, the GPU does not, which
alone moves logits by some tenths; with float16 what differs is the device.

Shown are: the processor's plug-in that was chosen; the GPU's text against the processor's, up to the first
near-tie (0.1 logit); the same with half of the layers; and that, with the Vulkan loader hidden, all runs on
the processor, and why. Mesa's software device (Debian's
mesa-vulkan-drivers) serves where there is no GPU. Hiding the loader needs Linux and the right to mount.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT))  # behind the engine under test, which stands first on PYTHONPATH

NEAR_TIE = 0.1
QUESTIONS = ("What is the capital of France?", "Which colour has the sky on a clear day?")
LOADER = "libvulkan.so.1"


def unpack(wheel: Path, folder: Path) -> Path:
    """Unpack an engine so that its plug-ins lie beside the library, as in the installed program."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for plugin in (folder / "bin").glob("libggml-*.so"):
        target = folder / "llama_cpp" / "lib" / plugin.name
        if not target.exists() and "sapphirerapids" not in plugin.name:
            plugin.rename(target)
    return folder


def child(path: Path, gpu_layers: int, n_tokens: int) -> dict[str, Any]:
    """Load a model in this process and write greedily; the figures."""
    from app.worker.inference.backend import AbortFlag, start_backend

    start_backend()
    from app.protocol.engine import LoadModel, PromptMessage
    from app.worker.inference import native
    from app.worker.inference.loading import load_model
    from app.worker.inference.template import Renderer
    from app.worker.inference.text_model import Surroundings
    from app.worker.probe.devices import Devices

    devices = Devices(native.lib)
    renderer = Renderer()
    renderer.start()
    around = Surroundings(AbortFlag(), renderer, threading.Lock(), lambda _done, _note: None, lambda: False)
    started = time.perf_counter()
    request = LoadModel(path=str(path), context_length=512, gpu_layers=gpu_layers, batch_tokens=64)
    model = load_model(request, around)
    loaded_s = time.perf_counter() - started
    prompts = [
        model.template.render((PromptMessage(role="user", content=question),)) for question in QUESTIONS
    ]
    texts = [_written(model, prompt, n_tokens) for prompt in prompts]
    model.close()
    renderer.close()
    return {
        "variant": devices.engine().cpu_variant,
        "backends": devices.engine().backends,
        "gpus": [gpu.description for gpu in devices.gpus()],
        "device": model.info.device,
        "n_gpu_layers": model.info.n_gpu_layers,
        "n_layers": model.info.n_layers,
        "notes": model.info.notes,
        "load_s": loaded_s,
        "predicted_bytes": model.info.predicted_bytes,
        "measured_bytes": model.info.measured_bytes,
        "texts": texts,
        "gpu_plugin": _plugin_problem(native.library_dir()),
    }


def _written(model: Any, prompt: str, n_tokens: int) -> dict[str, Any]:
    """Write greedily; the tokens, the text, and the largest logits of each step."""
    import numpy as np

    from app.worker.inference.native import lib

    model.context.clear()
    tokens, tops = [], []
    following = model.vocabulary.tokenize_prompt(prompt)
    started = time.perf_counter()
    for _ in range(n_tokens):
        code = model.context.decode(following)
        if code:
            raise SystemExit(f"the engine ended with {code}")
        row = lib.llama_get_logits_ith(model.context.pointer, -1)
        values = np.ctypeslib.as_array(
            ctypes.cast(row, ctypes.POINTER(ctypes.c_float)), (model.vocabulary.n_tokens,)
        )
        best = [int(token) for token in np.argsort(values)[-8:][::-1]]
        tokens.append(best[0])
        tops.append({token: float(values[token]) for token in best})
        following = [best[0]]
    return {
        "text": b"".join((model.vocabulary.piece(token) or (b"",))[0] for token in tokens).decode(
            "utf-8", "replace"
        ),
        "tokens": tokens,
        "tops": tops,
        "s": time.perf_counter() - started,
    }


def _plugin_problem(folder: Path) -> str:
    """Say why the GPU's plug-in cannot be loaded; empty where it can."""
    try:
        ctypes.CDLL(str(folder / "libggml-vulkan.so"))
    except OSError as error:
        return str(error)
    return ""


def agreement(cpu: dict[str, Any], other: dict[str, Any]) -> tuple[bool, str]:
    """Compare two texts up to the first near-tie."""
    for step, (ours, theirs) in enumerate(zip(cpu["tokens"], other["tokens"], strict=True)):
        if ours == theirs:
            continue
        tops = {int(token): value for token, value in cpu["tops"][step].items()}
        gap = tops[ours] - tops.get(theirs, -1e9)
        return gap < NEAR_TIE, f"differs at token {step + 1}, {gap:.3f} logits apart on the processor"
    return True, f"the same {len(cpu['tokens'])} tokens"


def as_float16(source: Path, target: Path) -> Path:
    """Write a model of Q4_1 and Q8_0 weights out as float16."""
    import numpy as np

    from app.core import gguf_writing as gguf
    from app.core.gguf import read_head
    from app.worker.inference.random_model import raw_pairs

    head, pairs = read_head(source), raw_pairs(source)
    table, data = b"", []
    at = 0
    with source.open("rb") as file:
        for tensor in head.tensors:
            file.seek(head.data_offset + tensor.offset)
            raw, kind = np.frombuffer(file.read(tensor.size_bytes), np.uint8), tensor.type
            if kind in (3, 8):
                values = _unpacked(raw, kind)
                raw, kind = values.astype("<f2").reshape(-1).view(np.uint8), 1
            table += gguf.tensor_info(tensor.name, tensor.shape, kind, at)
            data.append(gguf.padded(raw.tobytes()))
            at += len(data[-1])
    keys = b"".join(gguf.text(key) + value for key, value in pairs.items())
    target.write_bytes(gguf.padded(gguf.head(len(head.tensors), len(pairs)) + keys + table) + b"".join(data))
    return target


def _unpacked(raw: Any, kind: int) -> Any:
    """Give the numbers of Q4_1 (3) or Q8_0 (8) blocks. Source: ggml, `dequantize_row_q4_1`, `…_q8_0`."""
    import numpy as np

    if kind == 8:
        blocks = raw.reshape(-1, 34)
        return blocks[:, :2].copy().view("<f2").astype("f4") * blocks[:, 2:].view(np.int8)
    blocks = raw.reshape(-1, 20)
    scale, least = (blocks[:, at : at + 2].copy().view("<f2").astype("f4") for at in (0, 2))
    nibbles = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    return nibbles * scale + least


def run(model: Path, engine: Path, gpu_layers: int, n_tokens: int, *, hidden: bool = False) -> dict[str, Any]:
    """Run `child` in a process of its own with an engine; the loader may be hidden from it."""
    command = [sys.executable, str(Path(__file__)), str(model), "--child", str(gpu_layers)]
    command += ["--tokens", str(n_tokens)]
    if hidden:
        loaders = [str(path) for path in Path("/usr/lib").glob(f"*-linux-gnu/{LOADER}*")]
        hide = " && ".join(f"mount --bind /dev/null {path}" for path in loaders) or "true"
        command = ["unshare", "-rm", "sh", "-c", f'{hide} && exec "$@"', "sh", *command]
    environment = os.environ | {"PYTHONPATH": str(engine), "GGML_VK_VISIBLE_DEVICES": "0"}
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _line(name: str, result: dict[str, Any]) -> str:
    return (
        f"{name}: {result['device']}, {result['n_gpu_layers']} of {result['n_layers']} layers on it, "
        f"processor's plug-in {result['variant']}, GPUs {result['gpus']}; {result['verdicts']}; "
        f"{[text['text'] for text in result['texts']]}; notes {result['notes']}; {result['gpu_plugin']}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run all; 1 where a device writes another text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, nargs="?")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child is not None:
        print(json.dumps(child(arguments.wheel, arguments.child, arguments.tokens)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        engine = unpack(arguments.wheel, Path(temporary))
        from app.core.paths import starter_models_dir

        starter = next((starter_models_dir() / "chat").glob("*.gguf"))
        wide = as_float16(starter, Path(temporary) / "float16.gguf")
        plan = {
            "float16, processor": (wide, 0, False),
            "float16, all layers": (wide, -1, False),
            "as it is, processor": (starter, 0, False),
            "as it is, all layers": (starter, -1, False),
            "as it is, half the layers": (starter, 15, False),
            "as it is, no loader": (starter, -1, True),
        }
        runs: dict[str, dict[str, Any]] = {}
        for name, (model, gpu_layers, hidden) in plan.items():
            runs[name] = run(model, engine, gpu_layers, arguments.tokens, hidden=hidden)
            expected = runs[name.partition(",")[0] + ", processor"]["texts"]
            verdicts = [agreement(*pair) for pair in zip(expected, runs[name]["texts"], strict=True)]
            runs[name]["same"] = all(same for same, _ in verdicts)
            runs[name]["verdicts"] = [words for _, words in verdicts]
            if not arguments.json:
                print(_line(name, runs[name]), flush=True)
    good = all(result["same"] for result in runs.values())
    if arguments.json:
        print(json.dumps(runs, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
