"""A host that is killed while it answers keeps the question and what had come of the answer."""

import asyncio
import os
import time
from pathlib import Path

import psutil
import pytest

from app.client import HostClient
from app.core.errors import AppError
from app.core.paths import DataPaths, starter_models_dir
from app.protocol.chat import AnswerStarted, AnswerToken, Ask, GetConversation
from app.protocol.system import RunDoctor, Shutdown

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not list(starter_models_dir().glob("chat/*.gguf")), reason="the starter models are not here"
    ),
]

QUESTION = "Tell me a very long story about a pump in a garden."


async def killed_while_answering(paths: DataPaths) -> tuple[str, str]:
    """Ask, kill the host a second after text began to come; give the conversation and that text."""
    client = await HostClient.connect(paths, kind="cli")
    text, conversation_id, first = "", "", 0.0
    with pytest.raises(AppError) as caught:
        async for body in client.stream(Ask(question=QUESTION, use_documents=False)):
            if isinstance(body, AnswerStarted):
                conversation_id = body.conversation.id
            elif isinstance(body, AnswerToken):
                first = first or time.monotonic()
                if time.monotonic() - first < 0.1:
                    text += body.text
                elif time.monotonic() - first > 1.2:
                    kill(client.hello.pid)
    assert caught.value.code == "host.lost"
    await client.close()
    return conversation_id, text


def kill(pid: int) -> None:
    """Kill the host alone; its workers notice by themselves."""
    if psutil.pid_exists(pid):
        os.kill(pid, 9)


@pytest.mark.skipif(os.name != "posix", reason="signals")
async def test_what_had_come_is_kept_as_interrupted(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    conversation_id, early_text = await killed_while_answering(paths)
    client = await HostClient.connect(paths, kind="cli")
    try:
        conversation = await client.call(GetConversation(conversation_id=conversation_id))
        asked, answer = conversation.messages
        assert asked.text == QUESTION
        assert conversation.entry.title
        assert answer.state == "interrupted"
        assert answer.text.startswith(early_text.rstrip())  # older than a second: nothing of it is lost
        assert answer.error_message
        assert answer.error_hint
        checks = {check.name: check.status for check in (await client.call(RunDoctor())).checks}
        assert {checks[name] for name in checks if name.startswith("chats.")} == {"ok"}
        await client.call(Shutdown(force=True))
    finally:
        await client.close()
    deadline = time.monotonic() + 20
    while paths.endpoint_path.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
