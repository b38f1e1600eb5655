"""Sizes, speeds, states and advice as people read them."""

from dataclasses import replace

import pytest

from app.protocol.downloads import Download
from app.ui.models.words import (
    amount_words,
    counted,
    download_mark,
    duration_words,
    fit_mark,
    fits,
    kind_words,
    memory_words,
    parameter_words,
    quantization_words,
    size_words,
    source_words,
    speed_words,
    state_mark,
    tokens_words,
    transfer_words,
)
from tests.ui.models import samples
from tests.ui.models.samples import GB, MB


@pytest.mark.parametrize(
    ("n_params", "words"),
    [
        (None, ""),
        (0, ""),
        (268_000, "268K"),
        (90, "1K"),
        (999_885_952, "1B"),
        (134_515_008, "135M"),
        (1_711_376_384, "1.7B"),
        (7_000_000_000, "7B"),
        (70_553_706_496, "71B"),
    ],
)
def test_parameters_are_named_as_models_are(n_params: int | None, words: str) -> None:
    assert parameter_words(n_params) == words


@pytest.mark.parametrize(
    ("size", "words"), [(None, ""), (800, "800 bytes"), (98 * MB, "98.0 MB"), (int(4.36 * GB), "4.4 GB")]
)
def test_sizes(size: int | None, words: str) -> None:
    assert size_words(size) == words


def test_memory_is_counted_as_systems_count_it() -> None:
    assert memory_words(398 * samples.MIB) == "398.0 MB"
    assert memory_words(8 * samples.GIB) == "8.0 GB"
    assert memory_words(512) == "512 bytes"


def test_speeds_and_counts() -> None:
    assert speed_words(None) == "–"
    assert speed_words(12.34) == "12.3 tokens/s"
    assert speed_words(123.4) == "123 tokens/s"
    assert transfer_words(2 * MB) == "2.0 MB/s"
    assert tokens_words(512) == "512 tokens"
    assert counted(1, "one", "{0} of them") == "one" and counted(3, "one", "{0} of them") == "3 of them"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (20, "less than a minute"),
        (61, "about 1 minute"),
        (240, "about 4 minutes"),
        (3600, "about 1 h"),
        (5400, "about 1 h 30 min"),
    ],
)
def test_times_that_are_left(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Q4_K_M", "balanced"),
        ("IQ2_XS", "smallest, loses much"),
        ("UD-Q3_K_XL", "small, loses some"),
        ("Q5_K_S", "a little better, larger"),
        ("Q6_K", "close to the original"),
        ("Q8_0", "almost as the original"),
        ("BF16", "the original, very large"),
        ("odd", ""),
    ],
)
def test_a_quantization_is_explained(name: str, words: str) -> None:
    assert quantization_words(name) == words


def test_advice_has_words_an_icon_and_a_colour() -> None:
    marks = [fit_mark(each) for each in (samples.GOOD, samples.SLOW, samples.TIGHT, samples.TOO_LARGE)]
    assert [(mark.icon, mark.role) for mark in marks if mark] == [
        ("check-circle", "ok"),
        ("clock", "warning"),
        ("warning", "warning"),
        ("error", "error"),
    ]
    assert marks[3] is not None and marks[3].words == "Will not fit: needs 9.1 GB, 7.9 GB free"
    unknown = fit_mark(replace(samples.GOOD, verdict="unknown", words=""))
    assert unknown is not None and unknown.icon == "question" and unknown.words
    assert fit_mark(None) is None
    assert [fits(each) for each in (samples.GOOD, samples.TIGHT, samples.TOO_LARGE, None)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_models_state_is_told() -> None:
    assert state_mark(samples.QWEN) is None
    loading, broken = state_mark(samples.LOADING, 0.4), state_mark(samples.BROKEN)
    assert loading is not None and loading.words == "Loading 40 %"
    assert broken is not None and (broken.words, broken.role) == ("Cannot be used", "error")
    missing, loaded = state_mark(samples.MISSING), state_mark(samples.SMOL)
    assert missing is not None and missing.words == "File is missing"
    assert loaded is not None and loaded.words == "In memory"


def test_sources_and_kinds() -> None:
    assert source_words("lm_studio") == "Used in place from LM Studio"
    assert source_words("other") == "other"
    assert kind_words("embedding") == "Search by meaning"
    assert kind_words("other") == "other"


@pytest.mark.parametrize(
    ("download", "words"),
    [
        (samples.QUEUED, "Waiting for its turn"),
        (samples.RUNNING, "Downloading"),
        (samples.PAUSED, "Paused"),
        (samples.VERIFYING, "Checking the file"),
        (samples.FAILED, "Failed"),
        (samples.DONE, "Done and checked"),
        (replace(samples.RUNNING, state="stalled"), "Nothing arrives; trying again"),
        (replace(samples.RUNNING, state="new state"), "new state"),
    ],
)
def test_a_downloads_state_is_told(download: Download, words: str) -> None:
    assert download_mark(download).words == words


def test_the_next_try_is_counted_down() -> None:
    assert download_mark(samples.RETRYING).words == "Trying again soon"
    assert download_mark(samples.RETRYING, 7.6).words == "Trying again in 8 s"
    assert download_mark(samples.RETRYING, -1.0).words == "Trying again in 1 s"


def test_how_much_has_come() -> None:
    assert amount_words(samples.RUNNING) == "1.9 GB of 4.4 GB"
    assert amount_words(replace(samples.RUNNING, total_bytes=None)) == "1.9 GB"
    assert amount_words(samples.DONE) == "980.0 MB"
    assert amount_words(replace(samples.DONE, total_bytes=None)) == "980.0 MB"
