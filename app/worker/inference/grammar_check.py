"""Tries grammars in a process of their own before the engine gets them; see `grammar_process`."""

import hashlib
import subprocess
from pathlib import Path

from app.core.processes import worker_command, worker_environment
from app.worker.inference.backend import AbortFlag
from app.worker.inference.grammar import bad_grammar
from app.worker.inference.grammar_process import FINE, REFUSED
from app.worker.runtime import Cancelled

MAX_GRAMMAR_BYTES = 48 * 1024
_LOOK_S = 0.05
_PATIENCE_S = 20.0  # its own deadline is shorter; this covers a machine that is slow to start processes


class GrammarCheck:
    """Knows which grammars are safe for one model. The engine's thread."""

    def __init__(self, model_path: Path) -> None:
        """Take the model's (first) file, for its vocabulary."""
        self._model_path = model_path
        self._fine: set[bytes] = set()

    def check(self, text: str, abort: AbortFlag) -> None:
        """Try a grammar, unless it was tried before.

        Raises:
            ModelError: `grammar.bad`.
            Cancelled: the flag was set meanwhile.
        """
        data = text.encode("utf-8", "replace")
        if len(data) > MAX_GRAMMAR_BYTES:
            raise bad_grammar(f"it is longer than {MAX_GRAMMAR_BYTES // 1024} kB")
        key = hashlib.sha256(data).digest()
        if key in self._fine:
            return
        code = self._tried(data, abort)
        if code == REFUSED:
            raise bad_grammar("the engine could not read it")
        if code != FINE:
            raise bad_grammar("it is too deeply nested or too ambiguous to follow")
        self._fine.add(key)

    def _tried(self, data: bytes, abort: AbortFlag) -> int | None:
        """Run the process; give its exit code, None where it took too long."""
        with subprocess.Popen(  # our own program
            worker_command("grammar", [str(self._model_path)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=worker_environment(),
        ) as process:
            try:
                to_send: bytes | None = data
                for _ in range(int(_PATIENCE_S / _LOOK_S)):
                    try:
                        process.communicate(to_send, timeout=_LOOK_S)
                        return process.returncode
                    except subprocess.TimeoutExpired:
                        to_send = None  # it goes on with the first
                        if abort.is_set():
                            raise Cancelled from None
                return None
            finally:
                process.kill()
