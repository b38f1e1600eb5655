"""The terminal chat: questions typed, answers streamed, Ctrl+C stops an answer, /quit leaves."""

import asyncio
import builtins
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.cli.commands import chat
from app.cli.main import main
from app.client import Cancelled
from app.core.errors import WorkerError
from app.protocol.chat import AnswerPhase, AnswerStarted, AnswerToken, Ask, ChatMessage, ConversationEntry
from app.protocol.envelope import Message
from tests.unit.cli.conftest import FakeHost
from tests.unit.cli.test_main import done

Capture = pytest.CaptureFixture[str]
Typed = Callable[..., None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Type these lines, then end the input; an exception is raised instead of a line."""

    def use(*lines: Any) -> None:
        left: Iterator[Any] = iter(lines)

        def read(prompt: str) -> str:
            line = next(left, EOFError())
            if isinstance(line, BaseException):
                raise line
            return str(line)

        monkeypatch.setattr(builtins, "input", read)

    return use


def started() -> AnswerStarted:
    message = ChatMessage(id="m", parent_id=None, role="user", text="", created_at=0.0)
    entry = ConversationEntry(id="c9", title="t", created_at=0.0, updated_at=0.0)
    return AnswerStarted(conversation=entry, question=message, answer=message)


def asked(host: FakeHost) -> list[tuple[str, str | None]]:
    return [(r.question, r.conversation_id) for r in host.requests if isinstance(r, Ask)]


def test_a_conversation_streams_and_goes_on(host: FakeHost, typed: Typed, capsys: Capture) -> None:
    host.answers[Ask] = [
        started(),
        AnswerPhase(phase="loading"),
        AnswerPhase(phase="loading"),
        AnswerToken(text="Re"),
        AnswerToken(text="d."),
        done(),
    ]
    typed("Which colour?", "", "And why?", "/new", "Again?", "/help", "/quit", "never")
    assert main(["chat", "--collection", "C"]) == 0
    assert asked(host) == [("Which colour?", None), ("And why?", "c9"), ("Again?", None)]
    out = capsys.readouterr().out
    assert out.count("(Loading the model…)") == 3
    assert "Red.\n\n[1] pump.pdf, page 3: “It is red”\n" in out
    assert "/quit   leave" in out
    assert all(r.keep and r.collections == ("C",) for r in host.requests if isinstance(r, Ask))


def test_the_end_of_input_leaves(host: FakeHost, typed: Typed) -> None:
    typed()
    assert main(["chat"]) == 0


def test_ctrl_c_at_the_prompt_leaves(host: FakeHost, typed: Typed) -> None:
    typed(KeyboardInterrupt())
    assert main(["chat"]) == 0


def test_not_found_is_said_in_the_programs_words(host: FakeHost, typed: Typed, capsys: Capture) -> None:
    host.answers[Ask] = [started(), done(kind="not_found", text="Not there.", citations=(), found=False)]
    typed("Why?")
    main(["chat"])
    assert "Not there.\n" in capsys.readouterr().out


def test_an_error_leaves_the_chat_open(host: FakeHost, typed: Typed, capsys: Capture) -> None:
    host.answers[Ask] = [WorkerError("worker.died", "It ended.", "Ask again.")]
    typed("One?", "Two?")
    assert main(["chat"]) == 0
    assert capsys.readouterr().err == "It ended.\nAsk again.\n" * 2


def test_a_lost_connection_ends_the_chat(host: FakeHost, typed: Typed, capsys: Capture) -> None:
    host.answers[Ask] = [WorkerError("host.lost", "The connection was lost.")]
    host.closed = True
    typed("One?", "Two?")
    assert main(["chat"]) == 1
    assert len(asked(host)) == 1


def test_an_answer_cancelled_elsewhere_is_said(host: FakeHost, typed: Typed, capsys: Capture) -> None:
    host.answers[Ask] = [Cancelled(Message("cancelled"))]
    typed("One?")
    assert main(["chat"]) == 0
    assert "(Stopped.)" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals to a thread")
def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(host: FakeHost, typed: Typed, capsys: Capture) -> None:
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def answer(request: Ask) -> list[Any]:
        if request.question == "Long?":
            threading.Timer(0.2, signal.pthread_kill, (main_thread, signal.SIGINT)).start()
            return [started(), AnswerToken(text="It is"), asyncio.Event()]
        return [done()]

    host.answers[Ask] = answer
    typed("Long?", "Short?")
    assert main(["chat"]) == 0
    out = capsys.readouterr().out
    assert "It is\n(Stopped. What came is kept.)" in out
    assert asked(host) == [("Long?", None), ("Short?", "c9")]


def test_the_welcome_says_how_to_leave() -> None:
    assert "/quit" in chat.WELCOME
