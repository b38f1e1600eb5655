"""From a conversation to the text that the model was trained to continue."""

import contextlib
import json
import subprocess
import threading
import typing
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from typing import BinaryIO

from app.core.errors import ModelError, UsageError
from app.core.processes import worker_command, worker_environment
from app.protocol.engine import PromptMessage
from app.protocol.envelope import Message, ProtocolError, encode, read_message

DEADLINE_S = 2.0
_GRACE_S = 1.0
_KEPT_PROMPTS = 8
_OVER_LIMIT = ("deadline", "limit")

# For files without a template. The first is the most widely trained form and needs its two tokens in the
# vocabulary; the second is plain text for models that know no turns at all.
CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
PLAIN = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n"
    "{% else %}### {{ message.role | capitalize }}:\n{{ message.content }}\n\n{% endif %}"
    "{% endfor %}{{ '### Assistant:\n' }}"
)
PLAIN_STOP = ("\n### User:",)


class RenderStopped(Exception):  # noqa: N818  # an outcome, not a fault
    """A rendering was ended by `Renderer.stop`."""


class _RenderError(Exception):
    """The template gave no prompt; the first argument is `refused`, `broken`, `limit` or `deadline`."""


class Renderer:
    """Runs the template process; one rendering at a time, any thread."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the process ahead of its first use."""
        with self._lock:
            self._running()

    def render(self, arguments: dict[str, object]) -> str:
        """Render; raises `_RenderError`, or RenderStopped where `stop` was called meanwhile."""
        with self._lock:
            self._stopped = False
            process = self._running()
            guard = threading.Timer(DEADLINE_S + _GRACE_S, process.kill)
            guard.start()
            try:
                reply = _exchange(process, arguments)
            finally:
                guard.cancel()
                guard.join()
            if reply is None:
                self._reap()
                if self._stopped:
                    raise RenderStopped
                raise _RenderError("deadline")
        if reply.type != "template.rendered":
            raise _RenderError(str(reply.body.get("kind", "broken")))
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


def _exchange(process: subprocess.Popen[bytes], arguments: dict[str, object]) -> Message | None:
    """Send a request and read its reply; None where the process ended instead."""
    assert process.stdin is not None and process.stdout is not None
    payload = json.dumps(arguments).encode("ascii")
    request = Message("template.render", {"deadline_s": DEADLINE_S}, payload=payload)
    try:
        process.stdin.write(encode(request))
        process.stdin.flush()
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
        self._prompts: OrderedDict[tuple[PromptMessage, ...], str] = OrderedDict()
        self.stop = stop

    def render(self, messages: Sequence[PromptMessage]) -> str:
        """Give the prompt: the whole conversation up to where the assistant's turn begins.

        A template that refuses a system message, drops it, or wants turns to alternate gets the conversation
        with the system's words in the first user message and neighbours of one role joined.

        Raises:
            UsageError: `prompt.empty`.
            ModelError: `prompt.template_failed`.
            RenderStopped: see `Renderer.stop`.
        """
        key = tuple(messages)
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

    def _rendered(self, messages: tuple[PromptMessage, ...]) -> str:
        try:
            prompt = self._render_as_is(messages)
            if prompt.strip() and _holds_system(prompt, messages):
                return prompt
        except _RenderError as error:
            if error.args[0] in _OVER_LIMIT:
                raise _template_failed(error.args[0]) from error
        try:
            prompt = self._render_as_is(folded(messages))
        except _RenderError as error:
            raise _template_failed(error.args[0]) from error
        if not prompt.strip():
            raise _template_failed("empty")
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


def _template_failed(kind: str) -> ModelError:
    return ModelError(
        "prompt.template_failed",
        "The chat template in the model file "
        + (
            "takes too much time or memory."
            if kind in _OVER_LIMIT
            else "does not work with this conversation."
        ),
        "Choose another model, or another file of this one.",
        {"kind": kind},
    )


def fallback_template(knows_chatml: bool) -> tuple[str, tuple[str, ...]]:
    """Give the template and its stop strings for a file that brings none."""
    return (CHATML, ()) if knows_chatml else (PLAIN, PLAIN_STOP)
