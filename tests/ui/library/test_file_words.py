"""Every state in words."""

from dataclasses import replace

import pytest

from app.protocol.library import FileState
from app.ui.icons import icon
from app.ui.library.file_words import (
    duration_words,
    extent_words,
    kind_of,
    second_line,
    size_words,
    state_icon,
    state_name,
    state_role,
    state_words,
)
from app.ui.theme import Theme
from tests.ui.library.served import file


@pytest.mark.parametrize("state", list(FileState))
def test_every_state_has_words_a_colour_and_an_icon(state: FileState, theme: Theme) -> None:
    assert state_name(state)
    assert theme.colour(state_role(state)).isValid()
    assert not icon(state_icon(state), theme).isNull()


def test_progress_and_reasons_are_told() -> None:
    assert state_words(file(1, state=FileState.READING, progress=0.4)) == "Reading 40 %"
    assert state_words(file(1, state=FileState.QUEUED)) == "Waiting"
    embedding = file(1, state=FileState.EMBEDDING, progress=0.4)
    assert state_words(embedding) == "Answerable by keywords — reading for meaning 40 %"
    twin = file(1, duplicate_of="/elsewhere/first.pdf")
    assert state_words(twin) == "Ready — same content as first.pdf"
    failed = file(1, state=FileState.FAILED, reason="It is damaged.")
    assert second_line(failed) == "Could not be read — It is damaged."


@pytest.mark.parametrize(
    ("state", "progress", "words"),
    [
        (FileState.QUEUED, None, "Waiting to be transcribed"),
        (FileState.READING, None, "Transcribing"),
        (FileState.READING, 0.42, "Transcribing, 42 %"),
        (FileState.EMBEDDING, None, "Answerable by keywords — reading for meaning"),
        (FileState.PARTIAL, None, "Read in part"),
    ],
)
def test_a_recording_says_that_it_is_transcribed(
    state: FileState, progress: float | None, words: str
) -> None:
    recording = replace(file(1, state=state, progress=progress), name="Meeting.m4a")
    assert state_words(recording) == words


def test_a_recording_that_waits_for_a_model_says_so() -> None:
    waiting = file(1, state=FileState.QUEUED, reason="There is no speech model for German.")
    waiting = replace(waiting, name="Sitzung.mp4")
    assert second_line(waiting) == "Waiting to be transcribed — There is no speech model for German."


def test_the_length_of_a_recording_is_told() -> None:
    assert extent_words(file(2), 3723.9) == f"1:02:03 · {size_words(2000)}"
    assert extent_words(file(0), 7.0) == "0:07"
    assert extent_words(file(0), 754.0) == "12:34"


def test_extent() -> None:
    assert extent_words(file(0)) == ""
    assert extent_words(file(2, pages=1)) == f"1 page · {size_words(2000)}"
    assert extent_words(file(2, pages=1200)).startswith("1,200 pages · ")


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("a.PDF", "PDF"),
        ("a.docx", "DOC"),
        ("a.csv", "XLS"),
        ("main.rs", "CODE"),
        ("odd.parquet", "PARQ"),
        ("Meeting.MP3", "AUD"),
        ("talk.webm", "VID"),
        ("module.ts", "CODE"),
        ("Makefile", ""),
    ],
)
def test_kinds_by_name(name: str, letters: str) -> None:
    assert kind_of(name).letters == letters


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "less than a minute"),
        (61, "about 1 minute"),
        (250, "about 4 minutes"),
        (3700, "about 1 hour"),
        (3 * 3600, "about 3 hours"),
    ],
)
def test_durations_are_rounded(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
