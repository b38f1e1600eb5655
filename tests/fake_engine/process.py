"""The fake engine's process: a reader thread, an engine thread, and the faults."""

import argparse
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

from app.protocol import PROTOCOL_VERSION
from app.protocol.body import Body, from_message, to_json, to_message
from app.protocol.engine import (
    CountTokens,
    EngineInfo,
    EngineProgress,
    Generate,
    Generation,
    LoadModel,
    PromptProgress,
    TokenCounts,
    TokenGenerated,
    UnloadModel,
)
from app.protocol.envelope import Message, encode, read_message
from app.protocol.system import (
    CANCELLED,
    DONE,
    CancelRequest,
    Empty,
    ErrorBody,
    Hello,
    Ping,
    Shutdown,
)
from tests.fake_engine import options_from

FAULTS = (
    "segv",
    "abort",
    "kill",
    "exit0",
    "exit1",
    "hang",
    "freeze",
    "garbage",
    "half-line",
    "huge-line",
    "stderr-flood",
    "bad-message",
    "bad-reply",
    "two-ends",
)
PHASES = ("start", "idle", "load", "prompt", "stream")


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.fake_engine")
    parser.add_argument("--start-delay", type=float, default=0.0, help="seconds before the hello")
    parser.add_argument("--no-hello", action="store_true", help="never greet")
    parser.add_argument("--protocol", type=int, default=PROTOCOL_VERSION, help="version told in the hello")
    parser.add_argument("--load-delay", type=float, default=0.0, help="seconds of loading, with progress")
    parser.add_argument("--load-error", default="", help="code that loading fails with")
    parser.add_argument("--prompt-delay", type=float, default=0.0, help="seconds of prompt evaluation")
    parser.add_argument("--rate", type=float, default=1000.0, help="tokens a second")
    parser.add_argument("--text", default="", help="the answer; empty: the last user message")
    parser.add_argument("--context-length", type=int, default=8192)
    parser.add_argument("--generate-error", default="", help="code that generating fails with")
    parser.add_argument("--ignore-cancel", action="store_true", help="go on although cancelled")
    parser.add_argument(
        "--ignore-shutdown", action="store_true", help="outlive shutdown and the end of stdin"
    )
    parser.add_argument("--fault", choices=FAULTS, default="")
    parser.add_argument("--at", choices=PHASES, default="stream")
    parser.add_argument("--after", type=int, default=3, help="tokens before a fault at `stream`")
    parser.add_argument("--once", type=Path, default=None, help="strike only where this file does not exist")
    parser.add_argument("--huge-bytes", type=int, default=2**30)
    parser.add_argument("--flood-bytes", type=int, default=64 * 2**20)
    return parser.parse_args(argv)


class Cancelled(Exception):  # noqa: N818
    """The request being handled was cancelled."""


class FakeEngine:
    """Answers as `app.worker.inference` would, until its fault strikes."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self._input = sys.stdin.buffer
        self._output = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._send_lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[Message, Body]] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._loaded: EngineInfo | None = None
        self._request_id = ""

    def run(self) -> None:
        """Serve until stdin ends or shutdown is asked."""
        options = self.options
        time.sleep(options.start_delay)
        self._strike_at("start")
        if options.no_hello:
            threading.Event().wait()
        hello = Hello(protocol=options.protocol, kind="inference", version="fake", pid=os.getpid())
        self.send(to_message(hello, id="hello"))
        self._strike_at("idle")
        threading.Thread(target=self._serve, name="engine", daemon=True).start()
        self._read()
        while options.ignore_shutdown:
            time.sleep(60)

    def _read(self) -> None:
        while (message := read_message(self._input)) is not None:
            body = from_message(message)
            if isinstance(body, Shutdown):
                self.send(Message(DONE, {}, parent_id=message.id))
                return
            if isinstance(body, Ping):
                self.send(Message(DONE, {}, parent_id=message.id))
            elif isinstance(body, CancelRequest):
                self._cancelled.add(body.request_id)
            elif body is not None and message.id != "hello":
                self._jobs.put((message, body))

    def _serve(self) -> None:
        while True:
            message, body = self._jobs.get()
            self._request_id = message.id
            try:
                end = self._handle(body)
            except Cancelled as cancelled:
                kept = cancelled.args[0] if cancelled.args else Empty()
                self.send(Message(CANCELLED, to_json(kept), parent_id=message.id))
                continue
            if isinstance(end, ErrorBody):
                self.send(to_message(end, parent_id=message.id))
            else:
                self.send(Message(DONE, to_json(end), parent_id=message.id))

    def _handle(self, body: Body) -> Body:
        if isinstance(body, LoadModel):
            return self._load(body)
        if isinstance(body, UnloadModel):
            self._loaded = None
            return Empty()
        if isinstance(body, CountTokens):
            texts = ["".join(message.content for message in body.messages)] if body.messages else body.texts
            return TokenCounts(counts=tuple(len(text.split()) for text in texts))
        if isinstance(body, Generate):
            return self._generate(body)
        return ErrorBody(code="protocol.unknown_request", message="unknown")

    def _load(self, request: LoadModel) -> Body:
        self._strike_at("load")
        for step in range(1, 11):
            self._wait(self.options.load_delay / 10)
            self._progress(EngineProgress(fraction=step / 10))
        if self.options.load_error:
            return ErrorBody(
                code=self.options.load_error, message="The fake model does not load.", hint="Try another."
            )
        name = Path(request.path).stem
        self._loaded = EngineInfo(
            path=request.path,
            name=name,
            architecture="fake",
            description="fake",
            n_params=1,
            context_length=request.context_length or self.options.context_length,
            context_trained=self.options.context_length,
            has_template=True,
            load_seconds=self.options.load_delay,
            n_threads=1,
        )
        return self._loaded

    def _generate(self, request: Generate) -> Body:
        if self._loaded is None:
            return ErrorBody(code="model.not_loaded", message="No model is loaded.")
        if self.options.generate_error:
            return ErrorBody(code=self.options.generate_error, message="The fake engine fails.")
        started = time.perf_counter()
        n_prompt = sum(len(message.content.split()) for message in request.messages)
        self._strike_at("prompt")
        answer: list[str] = []
        try:
            self._wait(self.options.prompt_delay)
            self._progress(PromptProgress(done=n_prompt, total=n_prompt, cached=0))
            first_s = time.perf_counter()
            text = self.options.text or request.messages[-1].content
            for word in text.split()[: request.max_tokens]:
                if len(answer) == self.options.after:
                    self._strike_at("stream")
                self._wait(1 / self.options.rate)
                answer.append(word if not answer else f" {word}")
                self._progress(TokenGenerated(text=answer[-1]))
        except Cancelled as cancelled:
            raise Cancelled(_generation(answer, n_prompt, None, None, "cancelled")) from cancelled
        seconds = time.perf_counter() - first_s
        speed = (len(answer) - 1) / seconds if len(answer) > 1 else None
        return _generation(answer, n_prompt, first_s - started, speed, "stop")

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            if self._request_id in self._cancelled and not self.options.ignore_cancel:
                raise Cancelled
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.02))

    def _progress(self, body: Body) -> None:
        self.send(to_message(body, parent_id=self._request_id))

    def send(self, message: Message) -> None:
        self.write(encode(message))

    def write(self, data: bytes) -> None:
        with self._send_lock:
            try:
                self._output.write(data)
                self._output.flush()
            except BrokenPipeError:
                os._exit(0)

    # ------------------------------------------------------------------ faults

    def _strike_at(self, phase: str) -> None:
        options = self.options
        if not options.fault or options.at != phase:
            return
        if options.once is not None:
            try:
                options.once.touch(exist_ok=False)
            except FileExistsError:
                return
        getattr(self, f"_fault_{options.fault.replace('-', '_')}")()

    def _fault_segv(self) -> None:
        _die_by("SIGSEGV")

    def _fault_abort(self) -> None:
        os.abort()

    def _fault_kill(self) -> None:
        _die_by("SIGKILL")

    def _fault_exit0(self) -> None:
        os._exit(0)

    def _fault_exit1(self) -> None:
        os._exit(1)

    def _fault_hang(self) -> None:
        threading.Event().wait()

    def _fault_freeze(self) -> None:
        self._send_lock.acquire()
        threading.Event().wait()

    def _fault_garbage(self) -> None:
        self.write(b"\x00\xff this is not a message {\n")

    def _fault_half_line(self) -> None:
        self.write(b'{"id":"","parent_id":null,"type":"token.gen')
        os._exit(0)

    def _fault_huge_line(self) -> None:
        block, left = b"x" * 2**20, self.options.huge_bytes
        while left > 0:
            self.write(block[:left])
            left -= len(block)
        self.write(b"\n")

    def _fault_stderr_flood(self) -> None:
        line, left = b"x" * 4095 + b"\n", self.options.flood_bytes
        while left > 0:
            os.write(2, line[:left])
            left -= len(line)

    def _fault_bad_message(self) -> None:
        self.write(b'["a list", "is no message"]\n')

    def _fault_bad_reply(self) -> None:
        self.send(Message(DONE, {"text": 5}, parent_id=self._request_id))
        threading.Event().wait()

    def _fault_two_ends(self) -> None:
        for _ in range(2):
            self.send(
                Message(DONE, to_json(_generation([], 0, None, None, "stop")), parent_id=self._request_id)
            )
        threading.Event().wait()


def _generation(
    answer: list[str], n_prompt: int, first_s: float | None, speed: float | None, finish: str
) -> Generation:
    return Generation(
        text="".join(answer),
        prompt_tokens=n_prompt,
        cached_tokens=0,
        completion_tokens=len(answer),
        first_token_s=first_s,
        tokens_per_s=speed,
        finish=finish,
    )


def _die_by(name: str) -> None:
    if sys.platform == "win32":
        os._exit(3)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), getattr(signal, name))
    threading.Event().wait()


def main() -> None:
    """Run a fake engine with the options of the environment and the command line."""
    FakeEngine(parse(options_from(os.environ.get("FAKE_ENGINE", ""), sys.argv[1:]))).run()
