"""The voice packages work without what is kept out, and nothing that could download is loaded."""

import subprocess
import sys

from app.core.processes import worker_environment

USE = """
import sys
from app.worker.voice.left_out import leave_out_downloads
leave_out_downloads()
leave_out_downloads()
import faster_whisper, piper
for use in ("faster_whisper.WhisperModel('tiny')", "faster_whisper.download_model('tiny')"):
    try:
        eval(use)
    except RuntimeError as error:
        print(error)
try:
    import piper.phonemize_chinese
except ImportError as error:
    print(type(error).__name__)
loaded = {name.partition(".")[0] for name in sys.modules if sys.modules[name] is not None}
print(sorted(loaded & {"http", "httpx", "httpx2", "requests", "urllib3", "hf_xet", "fsspec"}))
print(len([name for name in sys.modules if name.startswith("huggingface_hub.")]))
"""


def test_no_model_is_downloaded_and_no_client_loaded() -> None:
    command = [sys.executable, "-P", "-c", USE]
    done = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refusal = "faster-whisper tried to download a model, which this program leaves out"
    assert done.stdout.splitlines() == [refusal, refusal, "ModuleNotFoundError", "[]", "0"]
