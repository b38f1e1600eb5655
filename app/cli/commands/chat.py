"""`h2ogpt chat`: a conversation in the terminal, streaming, with citations.

The terminal is read in the main thread and the connection lives in a loop of its own, so that Ctrl+C stops
the answer at once and leaves at the prompt, on every system.
"""

import argparse
import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.cli import answers, arguments
from app.cli.output import print_error, print_words
from app.client import Cancelled, HostClient
from app.core.errors import AppError
from app.core.paths import data_paths
from app.protocol.chat import AnswerDone, AnswerPhase

T = TypeVar("T")

WELCOME = "Ask about your documents. Ctrl+C stops an answer; /new starts over, /help says more, /quit leaves."
HELP = """/new    start a new conversation
/help   this text
/quit   leave (Ctrl+D does the same)
Add documents with `h2ogpt ingest PATH…`; the conversation is kept and stands in the window's list too."""


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_generation(parser)


class BackgroundLoop:
    """An event loop in a thread; the main thread hands it coroutines and waits."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="connection", daemon=True)
        self._thread.start()

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl+C cancels it and raises KeyboardInterrupt when it has ended."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class Chat:
    """One terminal conversation.

    Attributes:
        conversation_id: None before the first question and after /new.
    """

    def __init__(self, options: argparse.Namespace, loop: BackgroundLoop, client: HostClient) -> None:
        """Bind the options and the connection."""
        self._options, self._loop, self._client = options, loop, client
        self.conversation_id: str | None = None
        self._phase = ""

    def run(self) -> None:
        """Read questions until the user leaves."""
        print_words(WELCOME)
        while (line := self._read()) is not None:
            command = line.strip()
            if command in ("/quit", "/exit"):
                return
            if command == "/new":
                self.conversation_id = None
                print_words("A new conversation.")
            elif command.startswith("/"):
                print_words(HELP)
            elif command:
                self._answer(command)

    def _read(self) -> str | None:
        try:
            return input("\n> ")
        except (EOFError, KeyboardInterrupt):
            print_words("")
            return None

    def _answer(self, text: str) -> None:
        request = answers.question(self._options, text, self.conversation_id, keep=True)
        self._phase = ""
        coroutine = answers.ask(
            self._client,
            request,
            on_token=answers.write_token,
            on_start=lambda started: self._remember(started.conversation.id),
            on_phase=self._show_phase,
        )
        try:
            done = self._loop.wait_for(coroutine)
        except KeyboardInterrupt:
            print_words("\n(Stopped. What came is kept.)")
        except Cancelled:
            print_words("\n(Stopped.)")
        except AppError as error:
            print_words("")
            print_error(error)
            if self._client.closed:
                raise
        else:
            self._show_end(done)

    def _remember(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id

    def _show_phase(self, phase: AnswerPhase) -> None:
        if phase.phase == "loading" and self._phase != "loading":
            print_words("(Loading the model…)")
        self._phase = phase.phase

    def _show_end(self, done: AnswerDone) -> None:
        if done.answer.kind == "not_found":  # the program's own words; nothing was streamed
            answers.write_token(done.answer.text)
        sources = answers.sources_in_words(done.answer)
        print_words(f"\n\n{sources}" if sources else "")


def run(options: argparse.Namespace, data_dir: str | None) -> int:
    """Chat until the user leaves."""
    loop = BackgroundLoop()
    try:
        client = loop.wait_for(HostClient.connect(data_paths(data_dir), kind="cli"))
        try:
            Chat(options, loop, client).run()
        finally:
            loop.wait_for(client.close())
    finally:
        loop.close()
    return arguments.DONE
