"""The catalogue and the search: what is offered, how it would run here, and what downloading does."""

import asyncio
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest

from app.core.errors import AppError
from app.protocol.catalogue import CatalogueList, ListCatalogue, ListHubFiles, SearchHub
from app.protocol.downloads import StartDownload
from app.protocol.models import ModelsChanged
from app.ui.models.offers import (
    OfferFilter,
    best_file,
    choices,
    extra_bytes,
    file_look,
    file_rows,
    grouped,
    installed_name,
    offer_look,
    runs_here,
    with_installed,
)
from app.ui.models.row_model import Heading
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models import samples
from tests.ui.models.conftest import Make, Shown, words
from tests.ui.models.samples import (
    EMBEDDER_OFFER,
    HIT,
    HIT_FILES,
    LARGE_OFFER,
    LLAMA_OFFER,
    MB,
    OTHER_HIT,
    QWEN_OFFER,
    SMOL_OFFER,
    VISION_OFFER,
)

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


# ------------------------------------------------------------------------------------------- what is offered


def test_models_stand_in_groups_by_size_and_by_use() -> None:
    titles = [row.title for row in grouped(samples.CATALOGUE.models)]
    assert titles == [
        "Small: quick on any computer",
        "SmolLM2 1.7B Instruct",
        "Light: for laptops",
        "Llama 3.2 3B Instruct",
        "Gemma 3 4B (reads images)",
        "Medium: good answers, 8 GB of memory or more",
        "Qwen 2.5 7B Instruct",
        "Very large: for workstations",
        "Llama 3.3 70B Instruct",
        "Search by meaning",
        "BGE-M3",
    ]
    unknown = replace(QWEN_OFFER, kind="other", n_params=None)
    assert grouped([unknown]) == [Heading("other"), unknown]


def test_a_row_tells_how_the_best_file_would_run() -> None:
    assert "Slow: about 3 words a second" in offer_look(QWEN_OFFER).spoken
    assert "Needs a token" in offer_look(LLAMA_OFFER).spoken
    assert offer_look(LARGE_OFFER).marks[0].role == "error"
    assert offer_look(HIT).right.endswith("downloads") and HIT.repository in offer_look(HIT).spoken
    here = with_installed(QWEN_OFFER, replace(samples.RUNNING, name=QWEN_OFFER.recommended, model="qwen"))
    assert "Installed" in offer_look(here).spoken and installed_name(here) == "qwen"
    speech = replace(EMBEDDER_OFFER, kind="speech", n_params=None)
    assert offer_look(speech).badge == "STT" and offer_look(replace(HIT, n_downloads=None)).right == ""


def test_files_are_listed_from_the_smallest_without_what_comes_along() -> None:
    assert [file.quantization for file in choices(QWEN_OFFER)] == ["Q3_K_M", "Q4_K_M", "Q6_K", "Q8_0"]
    assert [file.name for file in choices(VISION_OFFER)] == ["gemma-3-4b-it-Q4_K_M.gguf"]
    assert extra_bytes(VISION_OFFER) == 812 * MB
    best = best_file(QWEN_OFFER)
    assert best is not None and best.quantization == "Q4_K_M"
    smallest = best_file(replace(QWEN_OFFER, recommended=""))
    assert smallest is not None and smallest.quantization == "Q3_K_M"
    assert best_file(HIT) is None
    nameless = replace(QWEN_OFFER.files[0], quantization="", fit=None)
    row = file_rows(replace(QWEN_OFFER, files=(nameless,)), ())[0]
    assert file_look(row).title == nameless.name and file_look(row).marks


@pytest.mark.parametrize(
    ("wanted", "n_shown"),
    [
        (OfferFilter(), 6),
        (OfferFilter(text="llama"), 2),
        (OfferFilter(text="laptop LLAMA"), 1),
        (OfferFilter(kind="embedding"), 1),
        (OfferFilter(only_fitting=True), 5),
        (OfferFilter(text="mit", kind="embedding", only_fitting=True), 1),
        (OfferFilter(text="nothing like it"), 0),
    ],
)
def test_the_filter_admits(wanted: OfferFilter, n_shown: int) -> None:
    assert sum(wanted.admits(offer) for offer in samples.CATALOGUE.models) == n_shown


def test_what_does_not_fit_does_not_run_here() -> None:
    assert runs_here(QWEN_OFFER) and runs_here(EMBEDDER_OFFER) and runs_here(HIT)
    assert not runs_here(LARGE_OFFER)


# ---------------------------------------------------------------------------------------------- the catalogue


async def opened(shown: Shown, offer_id: str) -> None:
    shown.controller.open("catalogue")
    await until(lambda: shown.catalogue.is_filled)
    shown.catalogue.list.choose(offer_id)


def files_shown(shown: Shown) -> list[str]:
    rows = shown.catalogue.details.rows
    return [str(rows.index(row).data(Qt.ItemDataRole.AccessibleTextRole)) for row in range(rows.rowCount())]


async def test_the_recommended_file_is_chosen_and_the_button_says_what_happens(
    shown: Shown, session: FakeSession
) -> None:
    QAbstractItemModelTester(shown.controller.catalogue.offers, FATAL)
    await opened(shown, QWEN_OFFER.id)
    details = shown.catalogue.details
    QAbstractItemModelTester(details.rows, FATAL)
    assert details.files.current.file.name == QWEN_OFFER.recommended
    assert "Recommended" in files_shown(shown)[1] and "balanced" in files_shown(shown)[1]
    assert "Will not fit: needs 9.1 GB, 7.9 GB free" in files_shown(shown)[3]
    assert details.button.text().replace("&", "") == "Download 4.4 GB"
    assert details.note.text().startswith("Downloading connects to huggingface.co.")
    facts = dict(details.facts.facts)
    assert facts["Licence"] == "Apache-2.0" and facts["Parameters"] == "7.6B"
    shown.host.downloads.clear()
    details.files.setCurrentIndex(details.rows.index(2))
    assert details.button.text().replace("&", "") == "Download 5.8 GB"
    details.button.click()
    await until(lambda: "is being downloaded" in shown.toasts())
    assert session.sent(StartDownload) == [
        StartDownload(model=QWEN_OFFER.id, file="Qwen2.5-7B-Instruct-Q6_K.gguf", revision=QWEN_OFFER.revision)
    ]
    await until(lambda: "Waiting for its turn" in files_shown(shown)[2])
    assert details.button.text() == "Show the download" and details.note.text() == "This file is on its way."
    details.button.click()
    assert shown.controller.window.current_key == "downloads"


async def test_a_refused_download_says_why(shown: Shown, session: FakeSession) -> None:
    words_ = "4.4 GB are needed, 1.2 GB are free on this disk."
    session.reply(StartDownload, AppError("download.no_space", words_, "Free some space."))
    await opened(shown, QWEN_OFFER.id)
    QTest.keyClick(shown.catalogue.details.files, Qt.Key.Key_Return)
    await until(lambda: shown.catalogue.banner.text == f"{words_} Free some space.")


async def test_what_comes_along_is_counted_and_told(shown: Shown) -> None:
    await opened(shown, VISION_OFFER.id)
    details = shown.catalogue.details
    assert details.button.text().replace("&", "") == "Download 3.1 GB"
    assert details.note.text().startswith("What it needs beside it comes along.")
    assert details.licence_note.text == VISION_OFFER.licence_note


async def test_a_gated_model_says_where_the_token_goes(shown: Shown, session: FakeSession) -> None:
    await opened(shown, LLAMA_OFFER.id)
    details = shown.catalogue.details
    assert "accepted the terms on huggingface.co" in details.token_note.text
    assert not details.token_button.isHidden()
    shown.host.network = replace(samples.NETWORK, has_token=True, token_place="keyring")
    shown.controller.open("search")
    shown.controller.open("catalogue")
    await until(lambda: "access token is used" in details.token_note.text)
    assert details.token_button.isHidden()
    await opened(shown, QWEN_OFFER.id)
    assert details.token_note.isHidden()


async def test_an_installed_file_is_shown_instead_of_fetched_again(shown: Shown) -> None:
    here = replace(samples.DONE, repository=SMOL_OFFER.repository, name=SMOL_OFFER.recommended, model="here")
    others = tuple(each for each in samples.CATALOGUE.models if each is not SMOL_OFFER)
    shown.host.catalogue = CatalogueList(models=(*others, with_installed(SMOL_OFFER, here)))
    shown.host.put(replace(samples.QWEN, name="here"))
    shown.host.session.deliver(ModelsChanged())
    await opened(shown, SMOL_OFFER.id)
    await until(lambda: shown.catalogue.details.button.text() == "Show the installed model")
    await until(lambda: shown.controller.installed.models.by_key("here") is not None)
    shown.catalogue.details.button.click()
    assert shown.controller.window.current_key == "installed"
    assert shown.installed.list.current.name == "here"


async def test_with_the_network_off_nothing_is_downloaded(shown: Shown) -> None:
    shown.host.network = replace(samples.NETWORK, offline=True)
    await opened(shown, QWEN_OFFER.id)
    await until(lambda: not shown.catalogue.details.button.isEnabled())
    assert "The network is switched off" in shown.catalogue.details.note.text()


async def test_the_address_of_a_model_is_copied(shown: Shown) -> None:
    await opened(shown, QWEN_OFFER.id)
    shown.catalogue.details.link_button.click()
    address = "https://huggingface.co/bartowski/Qwen2.5-7B-Instruct-GGUF"
    assert QGuiApplication.clipboard().text() == address
    assert address in shown.catalogue.details.note.text()


async def test_the_catalogue_is_filtered_while_one_types(shown: Shown, session: FakeSession) -> None:
    await opened(shown, QWEN_OFFER.id)
    page = shown.catalogue
    assert page.count.text() == "6 of 6"
    QTest.keyClicks(page.search, "llama")
    await until(lambda: page.count.text() == "2 of 6")
    page.fitting.click()
    assert page.count.text() == "1 of 6" and page.list.current is not None
    page.kinds.setCurrentIndex(page.kinds.findData("embedding"))
    assert page.empty.title == "Nothing in the catalogue is like that" and not page.is_filled
    page.empty.buttons[0].click()
    assert page.count.text() == "6 of 6" and page.is_filled and page.search.text() == ""
    QTest.keyClicks(page.search, "qwen")
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    assert page.count.text() == "1 of 6"
    QTest.keyClick(page.list, Qt.Key.Key_Return)
    assert page.details.offer.id == QWEN_OFFER.id
    assert session.sent(SearchHub) == [] and session.sent(ListHubFiles) == []


async def test_a_catalogue_that_cannot_be_read_says_why(make: Make, session: FakeSession) -> None:
    shown = make()
    session.reply(ListCatalogue, AppError("catalogue.damaged", "The catalogue is damaged.", "Reinstall."))
    shown.controller.open("catalogue")
    await until(lambda: shown.catalogue.empty.title == "The catalogue cannot be shown")
    assert shown.catalogue.empty.text == "The catalogue is damaged. Reinstall."
    session.reply(ListCatalogue, samples.CATALOGUE)
    shown.catalogue.empty.buttons[0].click()
    await until(lambda: shown.catalogue.is_filled)
    session.reply(ListCatalogue, AppError("host.lost", "Lost."))
    shown.controller.catalogue.load()
    await until(lambda: shown.catalogue.banner.text == "Lost.")


# ------------------------------------------------------------------------------------------------- the search


async def searched(shown: Shown) -> None:
    shown.controller.open("search")
    QTest.keyClicks(shown.search.field, "mistral")
    shown.search.button.click()
    await until(lambda: shown.search.is_filled)


async def test_it_says_to_whom_it_connects_before_it_does(shown: Shown, session: FakeSession) -> None:
    shown.host.network = replace(samples.NETWORK, endpoint="https://mirror.example:8443/hub")
    shown.controller.open("search")
    await until(lambda: "Search connects to mirror.example." in shown.search.note.text())
    assert not shown.search.button.isEnabled()
    QTest.keyClick(shown.search.field, Qt.Key.Key_Return)
    assert session.sent(SearchHub) == []


async def test_results_and_the_files_of_the_one_chosen(shown: Shown, session: FakeSession) -> None:
    await searched(shown)
    QAbstractItemModelTester(shown.controller.search.offers, FATAL)
    assert session.sent(SearchHub) == [SearchHub(text="mistral")]
    assert session.sent(ListHubFiles) == []
    assert "asked for at huggingface.co" in shown.search.details.message.text
    shown.search.list.choose(OTHER_HIT.id)
    shown.search.list.choose(HIT.id)
    assert "Asking for the files…" in words(shown.search.details)
    await until(lambda: len(shown.search.details.rows.items) == 4)
    assert session.sent(ListHubFiles) == [ListHubFiles(repository=HIT.repository)]  # not for both
    assert shown.search.details.files.current.file.name == HIT_FILES.recommended
    shown.search.list.choose(OTHER_HIT.id)
    shown.search.list.choose(HIT.id)
    assert len(shown.search.details.rows.items) == 4  # known already
    shown.search.details.button.click()
    await until(lambda: session.sent(StartDownload))
    assert session.sent(StartDownload)[0] == StartDownload(
        model=HIT.id, file=HIT_FILES.recommended, revision=HIT_FILES.revision
    )


async def test_a_finished_download_is_noted_without_asking_the_hub(
    shown: Shown, session: FakeSession
) -> None:
    await searched(shown)
    shown.search.list.choose(HIT.id)
    await until(lambda: len(shown.search.details.rows.items) == 4)
    coming = replace(
        samples.RUNNING, id="h", repository=HIT.repository, name=HIT_FILES.recommended, total_bytes=None
    )
    shown.host.change(coming)
    assert shown.search.details.button.text() == "Show the download"
    n_asked = len(session.sent(ListHubFiles))
    shown.host.change(replace(coming, state="done", model="mistral"))
    assert shown.search.details.button.text() == "Show the installed model"
    await asyncio.sleep(0)
    assert len(session.sent(ListHubFiles)) == n_asked


async def test_a_search_can_be_cancelled(shown: Shown, session: FakeSession) -> None:
    forever = asyncio.Event()

    async def never(_request: SearchHub) -> CatalogueList:
        await forever.wait()
        return samples.HITS

    session.reply(SearchHub, never)
    shown.controller.open("search")
    QTest.keyClicks(shown.search.field, "mistral")
    QTest.keyClick(shown.search.field, Qt.Key.Key_Return)
    assert shown.search.empty.title == "Searching for “mistral”…"
    assert shown.search.button.isHidden() and not shown.search.cancel_button.isHidden()
    QTest.keyClick(shown.search.field, Qt.Key.Key_Escape)
    assert shown.search.empty.title == "Search for a model"
    assert not shown.search.button.isHidden() and shown.controller.window.isVisible()
    forever.set()
    await until(lambda: "models.search" not in shown.controller.search._tasks.names)
    assert not shown.search.is_filled


async def test_nothing_found_says_what_to_try(shown: Shown, session: FakeSession) -> None:
    session.reply(SearchHub, CatalogueList(models=()))
    shown.controller.open("search")
    QTest.keyClicks(shown.search.field, "xyzzy")
    shown.search.button.click()
    await until(lambda: shown.search.empty.title == "Nothing was found")


async def test_a_failed_search_says_why_and_can_be_repeated(shown: Shown, session: FakeSession) -> None:
    no_way = AppError("network.failed", "huggingface.co cannot be reached.", "Check the connection.")
    session.reply(SearchHub, no_way)
    shown.controller.open("search")
    QTest.keyClicks(shown.search.field, "mistral")
    shown.search.button.click()
    await until(lambda: shown.search.empty.title == "The search did not succeed")
    assert shown.search.empty.text == "huggingface.co cannot be reached. Check the connection."
    session.reply(SearchHub, samples.HITS)
    shown.search.empty.buttons[0].click()
    await until(lambda: shown.search.is_filled)
    session.reply(SearchHub, AppError("network.off", "The network is switched off.", "Switch it on."))
    shown.search.button.click()
    await until(lambda: shown.search.empty.title == "The search did not succeed")
    assert shown.search.empty.buttons[0].text() == "Show the switch"
    shown.search.empty.buttons[0].click()  # there is no such page in this window yet: nothing breaks


async def test_offline_the_search_is_closed_and_says_so(shown: Shown, session: FakeSession) -> None:
    shown.host.network = replace(samples.NETWORK, offline=True)
    shown.controller.open("search")
    await until(lambda: shown.search.empty.title == "The network is switched off")
    QTest.keyClicks(shown.search.field, "mistral")
    assert not shown.search.button.isEnabled()
    QTest.keyClick(shown.search.field, Qt.Key.Key_Return)
    assert session.sent(SearchHub) == []


async def test_files_that_cannot_be_had_say_why(shown: Shown, session: FakeSession) -> None:
    session.reply(ListHubFiles, AppError("hub.needs_token", "The owner wants a login.", "Enter a token."))
    await searched(shown)
    shown.search.list.choose(HIT.id)
    await until(lambda: "The owner wants a login. Enter a token." in words(shown.search.details))
    assert not shown.search.details.token_button.isHidden() and shown.search.details.button.isHidden()
    session.reply(ListHubFiles, samples.HIT_FILES)
    shown.search.list.choose(OTHER_HIT.id)
    shown.search.list.choose(HIT.id)
    await until(lambda: len(shown.search.details.rows.items) == 4)


async def test_a_second_search_forgets_the_files_of_the_first(shown: Shown, session: FakeSession) -> None:
    await searched(shown)
    shown.search.list.choose(HIT.id)
    await until(lambda: session.sent(ListHubFiles))
    shown.search.button.click()
    await until(lambda: len(session.sent(SearchHub)) == 2)
    await until(lambda: len(session.sent(ListHubFiles)) == 2)  # the chosen one is still chosen
