"""Each end of a worker has its words."""

import pytest

from app.host import deaths


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "ended unexpectedly"),
        (0, "ended unexpectedly"),
        (7, "exit code 7"),
        (-9, "memory ran out"),
        (-11, "crashed (SIGSEGV)"),
        (-4, "crashed (SIGILL)"),
        (-15, "from outside (SIGTERM)"),
        (-99, "signal 99"),
        (0xC0000005, "access violation"),
        (0xC0000017, "no memory"),
    ],
)
def test_exit_codes(code: int | None, words: str) -> None:
    assert words in deaths.from_exit(code).cause


def test_the_hint_fits_the_worker_and_the_cause() -> None:
    error = deaths.from_exit(-9).to_error("inference", "while writing an answer")
    assert error.user_message.endswith("while writing an answer.") and "smaller model" in error.hint
    assert "stored is safe" in deaths.from_exit(-9).to_error("library").hint
    assert deaths.from_exit(1).to_error("probe").hint == "Try again."
    assert deaths.name_of("other") == "The other process"
    assert "No such file" in deaths.not_started("No such file").cause
    assert "0.5 seconds" in deaths.silent_start(0.5).cause
