"""Search and its gate: fusion, degradation, languages, what counts as found."""

import pytest

from app.core.errors import UsageError
from app.worker.library.embedding import OnnxEmbedder
from app.worker.library.gate import THRESHOLD, Evidence, Language, relevance
from app.worker.library.search import Outcome, SearchEngine, language_of
from scripts.bench.corpora import Text
from scripts.bench.library_of import TextLibrary

TEXTS = [
    Text("pump", "Pump manual", "The warranty for the pump lasts 24 months from the date of delivery.", ""),
    Text("boiler", "Boiler", "The boiler heats water to eighty degrees before it enters the tank.", ""),
    Text("leave", "Staff rules", "Employees are entitled to 30 days of paid vacation every year.", ""),
    Text("zh", "球队", "黑豹队的防守只丢了308分。他们在联赛中排名第六。", ""),
    Text("de", "Hausordnung", "Die Waschmaschine darf nur bis zehn Uhr abends benutzt werden.", ""),
    Text("council", "Minutes", "The council approved the new budget on the 3rd of May. It was late.", ""),
    Text("club", "Club", "In 1987 the club bought 30,000 bricks, and in 1988 a house.", ""),
]


@pytest.fixture(scope="module")
def library(embedder: OnnxEmbedder) -> TextLibrary:
    return TextLibrary(TEXTS, embedder)


@pytest.fixture(scope="module", autouse=True)
def _closed(library: TextLibrary) -> object:
    yield
    library.__exit__()


def ask(library: TextLibrary, question: str, mode: str = "hybrid", keys: tuple[str, ...] = ()) -> Outcome:
    chosen = [library.ids[key] for key in keys] or list(library.ids.values())
    return library.engine.search(question, mode, 10, chosen)


def first(library: TextLibrary, outcome: Outcome) -> str:
    return library.key_of[outcome.hits[0].passage.document_id]


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("How long is the pump under guarantee?", "pump"),
        ("How many vacation days do workers get?", "leave"),
        ("How hot does the boiler make the water?", "boiler"),
        ("黑豹队丢了多少分？", "zh"),
        ("Bis wann darf man die Waschmaschine benutzen?", "de"),
    ],
)
def test_questions_are_answered_by_the_right_document(library: TextLibrary, question: str, key: str) -> None:
    outcome = ask(library, question)
    assert first(library, outcome) == key
    assert outcome.found and THRESHOLD <= outcome.relevance <= 1
    assert [hit.score for hit in outcome.hits] == sorted((hit.score for hit in outcome.hits), reverse=True)
    assert outcome.hits[0].score <= 1


@pytest.mark.parametrize("mode", ["hybrid", "keyword"])
@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("What did the council approve on the third of May?", "council"),
        ("what was approved on may third", "council"),
        ("What was bought in nineteen eighty-seven?", "club"),
        ("Who bought thirty thousand bricks?", "club"),
        ("Who is entitled to thirty days?", "leave"),
    ],
)
def test_numbers_are_found_however_they_are_said(
    library: TextLibrary, question: str, key: str, mode: str
) -> None:
    outcome = ask(library, question, mode)
    assert first(library, outcome) == key
    assert outcome.found


@pytest.mark.parametrize(
    "question",
    [
        "What may one do with the second of them?",
        "Which one did they sell on the seventh of June?",
        "How many seconds are in one of those?",
        "What did the tennis team win in nineteen eighty-six?",
    ],
)
def test_numbers_alone_do_not_open_the_gate(library: TextLibrary, question: str) -> None:
    assert not ask(library, question).found


@pytest.mark.parametrize(
    "question",
    [
        "Who won the Olympic marathon in Tokyo?",
        "What is the capital of Mongolia?",
        "谁发明了电话？",
        "Wie hoch ist der Eiffelturm?",
    ],
)
def test_what_is_not_there_is_not_found(library: TextLibrary, question: str) -> None:
    outcome = ask(library, question)
    assert not outcome.found and outcome.relevance < THRESHOLD


def test_each_mode_ranks_by_its_own_evidence(library: TextLibrary) -> None:
    words = ask(library, "vacation", "keyword")
    assert [first(library, words)] == ["leave"] and len(words.hits) == 1
    meaning = ask(library, "holidays of the personnel", "dense")
    assert first(library, meaning) == "leave" and len(meaning.hits) == len(TEXTS)
    assert not ask(library, "holidays of the personnel", "keyword").hits
    with pytest.raises(UsageError):
        ask(library, "x", "magic")


def test_a_scope_hides_the_rest(library: TextLibrary) -> None:
    outcome = ask(library, "warranty of the pump", "hybrid", ("boiler", "leave"))
    assert {library.key_of[hit.passage.document_id] for hit in outcome.hits} == {"boiler", "leave"}
    assert not outcome.found
    assert not library.engine.search("warranty", "hybrid", 10, []).hits
    assert not library.engine.search("warranty", "hybrid", 0, list(library.ids.values())).hits


def test_a_question_without_words_finds_nothing_by_words(library: TextLibrary) -> None:
    assert not ask(library, "?!", "keyword").hits
    assert not ask(library, " \n ").hits


def test_without_vectors_words_serve_and_it_is_said(library: TextLibrary) -> None:
    engine = SearchEngine(library.database, library.documents, library.catalogue, None)
    for mode in ("hybrid", "dense"):
        outcome = engine.search("warranty of the pump", mode, 10, list(library.ids.values()))
        assert first(library, outcome) == "pump" and outcome.found
        assert "not installed" in outcome.degraded
    assert not engine.search("warranty", "keyword", 10, list(library.ids.values())).degraded


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How long is it under guarantee?", Language.ENGLISH),
        ("pump", Language.ENGLISH),
        ("", Language.ENGLISH),
        ("Wie lange ist die Garantie der Pumpe?", Language.LATIN),
        ("¿Cuánto dura la garantía de la bomba?", Language.LATIN),
        ("黑豹队丢了多少分？", Language.OTHER),
        ("Сколько длится гарантия?", Language.OTHER),
    ],
)
def test_languages_are_told_apart(text: str, language: Language) -> None:
    assert language_of(text) == language


def test_the_gate_rises_with_what_speaks_for_an_answer() -> None:
    for language in Language:
        values = [relevance(Evidence(share / 10, None, language)) for share in range(11)]
        assert values == sorted(values) and 0 < values[0] < THRESHOLD < values[-1] < 1
    nearer = [relevance(Evidence(0.3, cosine / 10, Language.ENGLISH)) for cosine in range(11)]
    assert nearer == sorted(nearer) and nearer[0] < THRESHOLD < nearer[-1]
