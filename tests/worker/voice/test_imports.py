"""What understands and speaks is loaded in the voice worker alone, what decodes sound in the decoder."""

import json
import subprocess
import sys

import pytest

from app.core.processes import worker_environment

VOICE = {"av", "ctranslate2", "faster_whisper", "huggingface_hub", "piper", "sounddevice"}
CHILD = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    ("modules", "also"),
    [
        (["app.host.__main__", "app.host.services.wiring"], {"onnxruntime", "numpy"}),
        (["app.cli.main", "app.client"], {"onnxruntime", "numpy"}),
        (["app.worker.library.main", "app.worker.library.embedding"], set()),
        (["app.worker.inference.main"], {"onnxruntime"}),
        (["app.worker.parser.main", "app.worker.render.main"], {"onnxruntime"}),
        pytest.param(["app.ui.main_window", "app.ui.start"], {"onnxruntime", "numpy"}, marks=pytest.mark.ui),
    ],
)
def test_nothing_of_it_is_loaded_elsewhere(modules: list[str], also: set[str]) -> None:
    command = [sys.executable, "-P", "-c", CHILD, *modules]
    done = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {module.partition(".")[0] for module in modules} <= loaded
    assert loaded & (VOICE | also) == set()
