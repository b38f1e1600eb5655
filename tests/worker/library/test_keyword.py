"""Keyword search: folding, stemming, scripts without spaces, queries that mean no syntax, common terms."""

import threading

import pytest

from app.worker.library.chunking import Chunk
from app.worker.library.database import Database
from app.worker.library.document_store import DocumentStore
from app.worker.library.keyword import (
    Stemmer,
    Term,
    WeighedTerm,
    index_text,
    search_keywords,
    weigh,
    without_common,
)
from app.worker.library.new_document import NewDocument
from app.worker.parser.result import Parsed


def store(documents: DocumentStore, *texts: str) -> list[int]:
    ids = []
    for number, text in enumerate(texts):
        parsed = Parsed(text, "text", "", "test")
        new = NewDocument(bytes([number]) * 32, parsed, [Chunk(0, len(text), "", 1)], 0.0)
        document_id = documents.store(new, threading.Event(), lambda *_: True)
        assert document_id is not None
        ids.append(document_id)
    return ids


def search(database: Database, question: str, only: set[int] | None = None) -> list[int]:
    reader = database.reader()
    found = search_keywords(reader, Stemmer(reader).terms(question), 10, only)
    return [chunk >> 20 for chunk, _ in found]


def test_words_are_found_in_every_form(database: Database, documents: DocumentStore) -> None:
    first, second = store(documents, "Die Prüfung der Ventile im Café", "pumps were running dry")
    assert search(database, "prufung cafe") == [first]
    assert search(database, "PUMP") == [second]
    assert search(database, "run") == [second]
    assert search(database, "run", {first}) == []
    assert search(database, "run", set()) == []
    assert search(database, "nothing of this") == []


@pytest.mark.parametrize("question", ["防守", "黑豹队的防守", "黑", "队"])
def test_chinese_is_found_by_pairs_and_by_single_characters(
    database: Database, documents: DocumentStore, question: str
) -> None:
    first, _ = store(documents, "黑豹队的防守只丢了308分。", "天气很好，我们去公园。")
    found = search(database, question)
    # A character that begins no pair (the last of its run) is not found alone; here each begins one.
    assert found == [first]


def test_scripts_without_spaces_are_indexed_by_pairs() -> None:
    assert index_text("Die 黑豹队 spielt").split() == ["Die", "黑豹", "豹队", "spielt"]
    assert index_text("車").split() == ["車"]
    assert index_text("plain text") == "plain text"


def test_grammatical_words_are_left_out_unless_alone(database: Database) -> None:
    stemmer = Stemmer(database.reader())
    assert [term.word for term in stemmer.terms("What is the warranty of the pump, the PUMP?")] == [
        "warranty",
        "pump",
    ]
    assert [term.word for term in stemmer.terms("Who was that?")] == ["Who", "was", "that"]
    assert stemmer.terms("?!") == []
    assert len(stemmer.terms(" ".join(f"word{i}" for i in range(500)))) == 64


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("approved on the 3rd of May", "third"),
        ("approved on the third day", "3rd"),
        ("approved on May 3, late", "the third of May"),
        ("twenty-five pumps", "25"),
        ("25 pumps", "twenty five"),
        ("it has 1,987 members", "1987"),
        ("it has 1987 members", "1,987"),
        ("since nineteen eighty-seven", "1987"),
        ("1st of all", "the first"),
        ("2 million people", "two million"),
        ("丢了308分", "three hundred eight"),
        ("it weighs 5kg", "5kg"),
    ],
)
def test_numbers_are_found_however_they_are_written(
    database: Database, documents: DocumentStore, text: str, question: str
) -> None:
    first, _ = store(documents, text, "nothing about twenty or five of them, 19 or 80")
    assert search(database, question) == [first]


def test_a_number_is_one_term(database: Database, documents: DocumentStore) -> None:
    store(documents, "25 pumps", "twenty people", "25 people, five of them old")
    reader = database.reader()
    terms = Stemmer(reader).terms("How many of the twenty-five, 25 pumps and twenty-five people?")
    assert [term.word for term in terms] == ["twenty-five", "25", "pumps", "people"]
    weighed = weigh(reader, terms)
    # The phrase stands in no more chunks than its rarest word, the digits in two.
    assert [item.n_chunks for item in weighed] == [2, 2, 1, 2]
    assert [way for way, _ in weighed[0].term.spellings] == ["25"]
    assert [way for way, _ in weighed[1].term.spellings] == ["twenty five"]
    assert weigh(reader, Stemmer(reader).terms("ninety-nine"))[0].term.spellings == ()


@pytest.mark.parametrize("question", ['"', 'a" OR "b', "x* NEAR(y)", "-z", "col:x", "\x00", "^"])
def test_no_question_is_syntax(database: Database, documents: DocumentStore, question: str) -> None:
    store(documents, "some text")
    assert search(database, question) == []


def test_terms_are_counted_and_common_ones_dropped_in_large_libraries(
    database: Database, documents: DocumentStore
) -> None:
    store(documents, "pump valve", "pump gauge", "pump 黑豹")
    reader = database.reader()
    weighed = weigh(reader, Stemmer(reader).terms("pump gauge 黑 missing"))
    assert [item.n_chunks for item in weighed] == [3, 1, 1, 0]

    def terms(*counts: int) -> list[WeighedTerm]:
        return [WeighedTerm(Term(str(count), str(count)), count) for count in counts]

    many = terms(60_000, 40, 900)
    assert without_common(many, 100_000) == many[1:]
    assert without_common(many, 20_000) == many
    few = terms(60_000, 70_000, 900)
    assert without_common(few, 100_000) == few
    absent = terms(60_000, 900, 0)
    assert without_common(absent, 100_000) == absent
