#!/usr/bin/env python3
"""Run the starter model on every device of an engine with plug-ins, and compare what they write.

    .venv/bin/python scripts/bench/devices.py WHEEL [--json] [--tokens 16]

WHEEL is what scripts/build_engine.py made. Shown are: the processor's plug-in that was chosen; the GPU's text
against the processor's, up to the first near-tie (0.1 logit); the same with half of the layers; and that,
with the Vulkan loader hidden, all runs on the processor, and why. Mesa's software device (Debian's
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
PROMPTS = ("The capital of France is", "Once upon a time there was a lighthouse keeper who")
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


def child(gpu_layers: int, n_tokens: int) -> dict[str, Any]:
    """Load the starter model in this process and write greedily; the figures."""
    from app.worker.inference.backend import AbortFlag, start_backend

    start_backend()
    from app.core.paths import starter_models_dir
    from app.protocol.engine import LoadModel
    from app.worker.inference import native
    from app.worker.inference.engine import load_model
    from app.worker.inference.template import Renderer
    from app.worker.inference.text_model import Surroundings
    from app.worker.probe.devices import Devices

    devices = Devices(native.lib)
    path = next((starter_models_dir() / "chat").glob("*.gguf"))
    renderer = Renderer()
    renderer.start()
    around = Surroundings(AbortFlag(), renderer, threading.Lock(), lambda _done, _note: None, lambda: False)
    started = time.perf_counter()
    request = LoadModel(path=str(path), context_length=512, gpu_layers=gpu_layers, batch_tokens=32)
    model = load_model(request, around)
    loaded_s = time.perf_counter() - started
    texts = [_written(model, prompt, n_tokens) for prompt in PROMPTS]
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
    return {"tokens": tokens, "tops": tops, "s": time.perf_counter() - started}


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


def run(engine: Path, gpu_layers: int, n_tokens: int, *, hidden: bool = False) -> dict[str, Any]:
    """Run `child` in a process of its own with an engine; the loader may be hidden from it."""
    command = [sys.executable, str(Path(__file__)), "--child", str(gpu_layers), "--tokens", str(n_tokens)]
    if hidden:
        loaders = [str(path) for path in Path("/usr/lib").glob(f"*-linux-gnu/{LOADER}*")]
        hide = " && ".join(f"mount --bind /dev/null {path}" for path in loaders) or "true"
        command = ["unshare", "-rm", "sh", "-c", f'{hide} && exec "$@"', "sh", *command]
    environment = os.environ | {"PYTHONPATH": str(engine), "GGML_VK_VISIBLE_DEVICES": "0"}
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run all; 1 where a device writes another text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, nargs="?")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child is not None:
        print(json.dumps(child(arguments.child, arguments.tokens)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        engine = unpack(arguments.wheel, Path(temporary))
        runs = {
            "processor": run(engine, 0, arguments.tokens),
            "all layers": run(engine, -1, arguments.tokens),
            "half the layers": run(engine, 15, arguments.tokens),
            "no loader": run(engine, -1, arguments.tokens, hidden=True),
        }
    good = True
    for name, result in runs.items():
        verdicts = [
            agreement(*pair) for pair in zip(runs["processor"]["texts"], result["texts"], strict=True)
        ]
        good = good and all(same for same, _ in verdicts)
        result["verdicts"] = [words for _, words in verdicts]
        if not arguments.json:
            print(
                f"{name}: {result['device']}, {result['n_gpu_layers']} of {result['n_layers']} layers on it, "
                f"processor's plug-in {result['variant']}, GPUs {result['gpus']}; {result['verdicts']}; "
                f"notes {result['notes']}; {result['gpu_plugin']}"
            )
    if arguments.json:
        print(json.dumps(runs, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
