"""What the tests of the voice worker share."""

import pytest

from app.worker.voice.synthesis import PiperVoice
from tests.worker.voice.jobs import VOICE


@pytest.fixture(scope="session")
def voice() -> PiperVoice:
    """The starter voice; loading it takes a second or more."""
    return PiperVoice(VOICE)
