"""Models that lie about themselves: each is named or runs, and the worker lives on."""

from pathlib import Path

import pytest

from app.protocol.channel import RequestError
from app.protocol.engine import CountTokens, Generate, LoadModel, PromptMessage
from tests.worker.inference.conftest import running_worker
from tests.worker.inference.gguf_lies import lies
from tests.worker.inference.gguf_writer import TinyModel

LIES = lies()
CODES = {"model.damaged", "model.load_failed", "model.unsupported", "model.too_large"}


def test_there_are_many_kinds() -> None:
    assert len(LIES) >= 60


@pytest.mark.slow
async def test_worker_outlives_them_all(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "lie.gguf", dict[str, str]()
    async with running_worker() as worker:
        for kind, data in LIES.items():
            path.write_bytes(data)
            try:
                await worker.replies(LoadModel(path=str(path), n_threads=1))
                await worker.replies(CountTokens(texts=("hello the world",)))
                question = (PromptMessage(role="user", content="Hello"),)
                await worker.replies(Generate(messages=question, max_tokens=3))
                outcomes[kind] = "runs"
            except RequestError as error:
                outcomes[kind] = error.body.code
                assert error.body.message and error.body.hint, kind
                assert error.body.code != "worker.failed", f"{kind}: {error}"
        good = TinyModel().write(tmp_path / "good.gguf")
        await worker.replies(LoadModel(path=str(good), n_threads=1))
        assert worker.process.returncode is None
    refused = {kind for kind, outcome in outcomes.items() if outcome in CODES}
    assert len(refused) >= 55, outcomes
