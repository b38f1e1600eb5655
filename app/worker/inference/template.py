"""From a conversation to the text that the model was trained to continue."""

import contextlib
import json
import subprocess
import threading
import time
import typing
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import BinaryIO

from app.core.errors import ModelError, UsageError
from app.core.gguf import GgufHead
from app.core.processes import worker_command, worker_environment
from app.core.prompt_formats import PLAIN, find_format, format_for
from app.core.prompt_marks import defused, marks_pattern
from app.protocol.engine import LoadModel, PromptMessage, RenderPrompt
from app.protocol.envelope import Message, ProtocolError, encode, read_message

DEADLINE_S = 2.0
_GRACE_S = 1.0
_START_S = 30.0  # on a busy machine; rendering itself is not measured from here
_KEPT_PROMPTS = 8
OVER_LIMIT = ("deadline", "limit")


class RenderStopped(Exception):  # noqa: N818  # an outcome, not a fault
    """A rendering was ended by `Renderer.stop`."""


class RenderError(Exception):
    """The template gave no prompt.

    Attributes:
        kind: `syntax` (not a template at all), `refused` (by itself), `broken`, `empty`, `limit` (memory,
            length, nesting) or `deadline`.
        line: of the template, from 1; 0 where it is not known.
        words: what is wrong, in Jinja's or the template's own words; may be empty.
    """

    def __init__(self, kind: str, line: int = 0, words: str = "") -> None:
        """Keep the parts."""
        super().__init__(kind)
        self.kind, self.line, self.words = kind, line, words


class Renderer:
    """Runs the template process; one rendering at a time, any thread."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self._stopped = False

    def start(self) -> None:
        """Start the process ahead of its first use."""
        with self._lock:
            self._running()

    def render(self, arguments: dict[str, object]) -> str:
        """Render; raises RenderError, or RenderStopped where `stop` was called meanwhile."""
        with self._lock:
            self._stopped = False
            process = self._running()
            if not self._greeted:  # it starts up: that is not the template's time
                with _killed_after(process, _START_S):
                    self._greeted = _read(process) is not None
            started_s = time.monotonic()
            with _killed_after(process, DEADLINE_S + _GRACE_S):
                reply = _exchange(process, arguments)
            if (
                reply is None
            ):  # not told by the exit code: looking at what runs can crash the process at its end
                in_time = time.monotonic() - started_s < DEADLINE_S
                self._reap()
                if self._stopped:
                    raise RenderStopped
                raise RenderError("limit" if in_time else "deadline")
        if reply.type != "template.rendered":
            body = reply.body
            raise RenderError(
                str(body.get("kind", "broken")), int(body.get("line", 0)), str(body.get("words", ""))
            )
        return reply.payload.decode("utf-8")

    def stop(self) -> None:
        """End a rendering that runs now, by ending its process; any thread."""
        self._stopped = True
        process = self._process
        if process is not None and self._lock.locked():
            process.kill()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._reap()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._reap()
        self._greeted = False
        self._process = subprocess.Popen(
            worker_command("template"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return self._process

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent bytes to a dead process
                    pipe.close()


@contextlib.contextmanager
def _killed_after(process: subprocess.Popen[bytes], limit_s: float) -> Iterator[None]:
    """Kill a process that takes longer than it may."""
    guard = threading.Timer(limit_s, process.kill)
    guard.start()
    try:
        yield
    finally:
        guard.cancel()
        guard.join()


def _exchange(process: subprocess.Popen[bytes], arguments: dict[str, object]) -> Message | None:
    """Send a request and read its reply; None where the process ended instead."""
    assert process.stdin is not None
    payload = json.dumps(arguments).encode("ascii")
    request = Message("template.render", {"deadline_s": DEADLINE_S}, payload=payload)
    try:
        process.stdin.write(encode(request))
        process.stdin.flush()
    except OSError:
        return None
    return _read(process)


def _read(process: subprocess.Popen[bytes]) -> Message | None:
    """Read a message; None where the process ended instead."""
    assert process.stdout is not None
    try:
        return read_message(typing.cast(BinaryIO, process.stdout))
    except (OSError, ProtocolError):
        return None


class ChatTemplate:
    """A model's chat template.

    Attributes:
        stop: strings that end an answer because the template has no token for it.
    """

    def __init__(
        self, source: str, bos_token: str, eos_token: str, renderer: Renderer, stop: tuple[str, ...] = ()
    ) -> None:
        """Take the template's source and the texts of the model's beginning and ending tokens."""
        self._source, self._bos_token, self._eos_token = source, bos_token, eos_token
        self._renderer = renderer
        self._marks = marks_pattern(source, (bos_token, eos_token))
        self._prompts: OrderedDict[tuple[PromptMessage, ...], str] = OrderedDict()
        self.stop = stop

    def render(self, messages: Sequence[PromptMessage]) -> str:
        """Give the prompt: the whole conversation up to where the assistant's turn begins.

        A template that refuses a system message, drops it, or wants turns to alternate gets the conversation
        with the system's words in the first user message and neighbours of one role joined. Marks that would
        end a turn are broken where they stand in a message.

        Raises:
            UsageError: `prompt.empty`.
            ModelError: `prompt.template_failed`.
            RenderStopped: see `Renderer.stop`.
        """
        try:
            return self.try_render(messages)
        except RenderError as error:
            raise _template_failed(error) from error

    def try_render(self, messages: Sequence[PromptMessage]) -> str:
        """Give the prompt as `render`, or what exactly is wrong; for whoever writes the template.

        Raises:
            UsageError: `prompt.empty`.
            RenderError: the template gave none.
            RenderStopped: see `Renderer.stop`.
        """
        key = tuple(self._defused(message) for message in messages)
        if not any(message.content.strip() for message in key):
            raise UsageError("prompt.empty", "There is nothing to answer.", "Write a question first.")
        if key in self._prompts:
            self._prompts.move_to_end(key)
            return self._prompts[key]
        prompt = self._rendered(key)
        self._prompts[key] = prompt
        if len(self._prompts) > _KEPT_PROMPTS:
            self._prompts.popitem(last=False)
        return prompt

    def _defused(self, message: PromptMessage) -> PromptMessage:
        return replace(message, content=defused(message.content, self._marks))

    def _rendered(self, messages: tuple[PromptMessage, ...]) -> str:
        try:
            prompt = self._render_as_is(messages)
            if prompt.strip() and _holds_system(prompt, messages):
                return prompt
        except RenderError as error:
            if error.kind in (*OVER_LIMIT, "syntax"):
                raise
        prompt = self._render_as_is(folded(messages))
        if not prompt.strip():
            raise RenderError("empty")
        return prompt

    def _render_as_is(self, messages: Sequence[PromptMessage]) -> str:
        return self._renderer.render(
            {
                "source": self._source,
                "messages": [{"role": message.role, "content": message.content} for message in messages],
                "day": date.today().isoformat(),
                "bos_token": self._bos_token,
                "eos_token": self._eos_token,
            }
        )


def folded(messages: Sequence[PromptMessage]) -> tuple[PromptMessage, ...]:
    """Give the conversation without system messages and with alternating roles, beginning with the user's."""
    turns: list[PromptMessage] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if turns and turns[-1].role == role:
            joined = f"{turns[-1].content}\n\n{message.content}"
            turns[-1] = PromptMessage(role=role, content=joined)
        else:
            turns.append(PromptMessage(role=role, content=message.content))
    return tuple(turns)


def _holds_system(prompt: str, messages: Sequence[PromptMessage]) -> bool:
    return all(message.content.strip() in prompt for message in messages if message.role == "system")


def _template_failed(error: RenderError) -> ModelError:
    return ModelError(
        "prompt.template_failed",
        "The model's chat template "
        + (
            "takes too much time or memory."
            if error.kind in OVER_LIMIT
            else "does not work with this conversation."
        ),
        "Choose a prompt format in the model's settings, or another model.",
        {"kind": error.kind, "line": error.line},
    )


def template_for(
    options: LoadModel | RenderPrompt, head: GgufHead | None, knows: Callable[[str], bool]
) -> tuple[str, tuple[str, ...]]:
    """Choose template and stop strings: the user's own, the named format, the file's, or one that fits.

    Args:
        options: what was asked for.
        head: of the model file; None where there is none.
        knows: whether a text is one token of the vocabulary.

    Raises:
        UsageError: `prompt.unknown_format`.
    """
    if options.template.strip():
        return options.template, ()
    if options.prompt_format:
        chosen = find_format(options.prompt_format)
    elif head is not None and head.chat_template is not None:
        return head.chat_template, ()
    elif head is not None:
        chosen = format_for(head.architecture, _names_of(head), knows)
    else:
        chosen = PLAIN
    return chosen.template, chosen.stop


def _names_of(head: GgufHead) -> str:
    inside = head.metadata.get("general.name")
    return f"{head.path.stem} {inside if isinstance(inside, str) else ''}"
