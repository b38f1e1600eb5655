"""The page of models here: what understands speech and what reads aloud."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.errors import AppError
from app.protocol.models import ListModels, RemoveModel
from app.protocol.system import UpdateSettings
from app.protocol.voice import GetVoiceChoices
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models import samples
from tests.ui.models.conftest import Make, Shown, words
from tests.ui.models.samples import JOE, SMOL, SOUND, THORSTEN, WHISPER
from tests.ui.models.test_installed import choose, spoken


@pytest.fixture
def sounding(make: Make) -> Callable[[], Shown]:
    """Open the window over a host that has speech models and voices, too."""

    def opened() -> Shown:
        shown = make()
        models = shown.host.models.models
        shown.host.models = replace(shown.host.models, models=(*models, *SOUND))
        shown.controller.open()
        return shown

    return opened


async def test_what_is_in_use_is_marked_and_told(sounding: Callable[[], Shown]) -> None:
    shown = sounding()
    await until(lambda: "In use" in spoken(shown, JOE.name))
    await until(lambda: "an hour in about 4 minutes" in spoken(shown, WHISPER.name))
    assert "In use" in spoken(shown, WHISPER.name) and "In use" not in spoken(shown, THORSTEN.name)
    assert "reads aloud without waiting" in spoken(shown, THORSTEN.name)
    details = shown.installed.details
    assert "Understands what you say" in choose(shown, WHISPER.name)
    assert details.use_button.isHidden() and details.default_button.isHidden()
    assert dict(details.facts.facts)["Format"] == "CTranslate2"
    assert not details.remove_button.isEnabled(), "it belongs to the program"
    assert "Reads aloud" in choose(shown, JOE.name)
    assert dict(details.facts.facts)["Use"] == "Reading aloud"
    choose(shown, SMOL.name)
    assert details.use_button.isHidden()


async def test_a_voice_is_chosen_by_the_name_of_its_file(
    sounding: Callable[[], Shown], session: FakeSession
) -> None:
    shown = sounding()
    await until(lambda: "In use" in spoken(shown, JOE.name))
    choose(shown, THORSTEN.name)
    details = shown.installed.details
    assert details.use_button.text() == "&Use this voice" and not details.use_button.isHidden()
    assert "&Use this voice" in [action.text() for action in shown.installed.menu().actions()]
    details.use_button.click()
    await until(lambda: "In use" in spoken(shown, THORSTEN.name))
    assert session.sent(UpdateSettings)[-1].values == {"voice": "de_DE-thorsten-medium"}
    assert "In use" not in spoken(shown, JOE.name)
    assert "Reads aloud" in words(details) and details.use_button.isHidden()


async def test_a_speech_model_is_chosen_by_the_name_of_its_folder(
    sounding: Callable[[], Shown], session: FakeSession
) -> None:
    shown = sounding()
    shown.host.choices = replace(samples.CHOICES, speech_model="")
    await until(lambda: "In use" in spoken(shown, JOE.name))
    assert "In use" not in spoken(shown, WHISPER.name)
    choose(shown, WHISPER.name)
    button = shown.installed.details.use_button
    assert button.text() == "&Use for speech"
    button.click()
    await until(lambda: "In use" in spoken(shown, WHISPER.name))
    assert session.sent(UpdateSettings)[-1].values == {"speech_model": "whisper-tiny"}


async def test_without_an_answer_none_is_marked(sounding: Callable[[], Shown], session: FakeSession) -> None:
    shown = sounding()
    session.reply(GetVoiceChoices, AppError("worker.died", "The voice part ended."))
    failures: list[AppError] = []
    shown.controller.installed.failed.connect(failures.append)
    await until(lambda: len(session.sent(ListModels)) == 2 and bool(session.sent(GetVoiceChoices)))
    await until(lambda: "reads aloud without waiting" in spoken(shown, JOE.name))
    assert "In use" not in spoken(shown, JOE.name) and not failures


async def test_a_downloaded_voice_can_be_removed(sounding: Callable[[], Shown], session: FakeSession) -> None:
    shown = sounding()
    await until(lambda: "In use" in spoken(shown, JOE.name))
    choose(shown, THORSTEN.name)
    shown.installed.details.remove_button.click()
    await until(lambda: bool(session.sent(RemoveModel)))
    assert session.sent(RemoveModel)[0].name == THORSTEN.name
    await until(lambda: shown.controller.installed.models.by_key(THORSTEN.name) is None)
