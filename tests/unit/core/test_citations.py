"""Each sentence of an answer is attributed to what supports it, and only to that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.citations import MAX_CLAIMS, Attribution, attribute
from app.core.evidence import Source, _halves, claim_of

CURIE = Source(
    1,
    10,
    100,
    "Marie Curie was a Polish physicist. She was born in Warsaw in 1867. "
    "In 1903 she won the Nobel Prize in Physics together with Pierre Curie.",
)
PUMP = Source(
    2,
    11,
    0,
    "The X200 pump has a warranty of 24 months. It is not waterproof.\n"
    "The maximum pressure is 3.5 bar; at 40 °C it falls to 2.8 bar.",
    "X200 manual.pdf",
)
PARIS = Source(3, 12, 7, "巴黎是法国的首都。它有两百万居民。")
SOURCES = (CURIE, PUMP, PARIS)


def cited(answer: str, question: str = "") -> list[tuple[int, str, bool]]:
    return [(s.n, s.quote, s.supported) for s in attribute(answer, question, SOURCES).supports]


def unsupported(answer: str, question: str = "") -> list[str]:
    result = attribute(answer, question, SOURCES)
    return [result.text[start:end] for start, end in result.unsupported]


def test_a_short_answer_is_understood_with_its_question() -> None:
    result = attribute("1867.", "When was Marie Curie born?", SOURCES)
    assert result.text == "1867 [1]."
    (support,) = result.supports
    assert support.quote == "She was born in Warsaw in 1867."
    assert (support.char_start, support.char_end) == (136, 167)
    assert result.text[support.answer_start : support.answer_end] == "1867 [1]."
    assert not result.unsupported


def test_a_number_in_words_is_the_number() -> None:
    answer = "The warranty of the X200 is twenty-four months."
    assert cited(answer) == [(2, "The X200 pump has a warranty of 24 months.", True)]


@pytest.mark.parametrize(
    ("answer", "text", "is_supported"),
    [
        ("The council approved it on May 3.", "The council approved it on the third of May.", True),
        ("The council approved it on the third of May.", "On 3 May the council approved it.", True),
        ("The council approved it on the 3rd of May.", "The council approved it on May third.", True),
        ("The council approved it on the third of May.", "Council, 1990-05-03: it was approved.", True),
        ("The council approved it on 3 May.", "The council approved it on 4 May.", False),
        ("The council approved it in October.", "The council approved it in October 1987.", True),
        ("The council approved it in June.", "The council approved it in October 1987.", False),
        ("The road closes in October.", "The road closes in October. The second point is money.", True),
        ("The road closes in May.", "The road closes in May. The second point is money.", True),
        ("The road closes on Oct. 5.", "The road closes on October 5.", True),
        ("The road closes on October 5.", "The road closes in October. 5 people came.", False),
        ("The council approved it on the fourth of May.", "The council approved it on May 3.", False),
        ("The council approved it on May third.", "The council approved 3 of it in May 1990.", False),
        ("There were 25 pumps in 1987.", "In nineteen eighty-seven there were twenty-five pumps.", True),
        ("There were twenty-five pumps.", "There were 1,025 pumps.", False),
        ("There were twenty-five pumps.", "There were twenty pumps, then five.", False),
        ("The plant has 3 pumps.", "The third pump of the plant failed.", False),
        ("The third pump failed.", "The plant has 3 pumps; one pump failed.", False),
        ("The third pump failed.", "The 3rd pump failed.", True),
        ("The 2nd pump failed.", "The second pump failed.", True),
        ("The second pump failed.", "The 2nd pump failed.", True),
        ("The 2nd pump failed.", "A pump failed after one second.", False),
        ("It has 1,987 members.", "It has nineteen hundred and eighty-seven members.", True),
        ("A third of the members left.", "One third of the members left.", True),
        ("The first pump failed.", "Of all pumps, first a pump failed.", True),
    ],
)
def test_numbers_and_dates_agree_by_value(answer: str, text: str, is_supported: bool) -> None:
    result = attribute(answer, "", [Source(1, 1, 0, text)])
    assert any(support.supported for support in result.supports) is is_supported
    assert bool(result.unsupported) is not is_supported


def test_each_sentence_has_its_own_place() -> None:
    answer = "She was born in Warsaw. She got the Nobel Prize in 1903."
    places = cited(answer, "Who was Marie Curie?")
    assert [(n, ok) for n, _, ok in places] == [(1, True), (1, True)]
    assert "1867" in places[0][1]
    assert "1903" in places[1][1]


def test_a_sentence_of_two_facts_cites_both_places() -> None:
    answer = "The X200 has a warranty of 24 months, and its maximum pressure is 3.5 bar."
    places = cited(answer)
    assert [ok for *_, ok in places] == [True, True]
    assert "24 months" in places[0][1]
    assert "3.5 bar" in places[1][1]


@pytest.mark.parametrize(
    "answer",
    [
        "Marie Curie was born in Warsaw in 1868.",
        "Marie Curie was born in Berlin in 1867.",
        "Pierre Curie was a Polish physicist.",
        "Smith won the Nobel Prize in Physics in 1903.",
        "The X300 pump has a warranty of 24 months.",
        "The X200 pump has a warranty of 36 months.",
        "The X200 pump is waterproof.",
        "The X200 pump has no warranty of 24 months.",
        "The maximum pressure is 3.5 million bar.",
        "Bananas grow on tropical islands.",
    ],
)
def test_what_the_passages_do_not_say_is_not_supported(answer: str) -> None:
    assert not any(supported for *_, supported in cited(answer, "What about it?"))
    assert len(unsupported(answer, "What about it?")) == 1


def test_the_nearest_place_is_shown_for_a_wrong_number() -> None:
    answer = "Marie Curie was born in Warsaw in 1868."
    ((n, quote, supported),) = cited(answer)
    assert (n, supported) == (1, False)
    assert "1867" in quote
    assert unsupported(answer) == ["Marie Curie was born in Warsaw in 1868 [1]."]


def test_a_wrong_mark_is_corrected() -> None:
    assert (
        attribute("She was born in Warsaw in 1867 [2].", "", SOURCES).text
        == "She was born in Warsaw in 1867 [1]."
    )


def test_a_right_mark_is_kept_even_if_another_passage_says_the_same() -> None:
    copy = Source(9, 99, 0, "She was born in Warsaw in 1867.")
    result = attribute("She was born in Warsaw in 1867 [9].", "", (*SOURCES, copy))
    assert [s.n for s in result.supports] == [9]


def test_a_mark_that_names_nothing_is_dropped() -> None:
    result = attribute("Bananas grow on tropical islands [7].", "", SOURCES)
    assert result.text == "Bananas grow on tropical islands."
    assert not result.supports


def test_a_weak_paraphrase_keeps_its_mark_as_unverified() -> None:
    answer = "The pump comes with a long warranty period [2]."
    ((n, _, supported),) = cited(answer)
    assert (n, supported) == (2, False)


def test_a_mark_at_the_beginning_of_a_line_belongs_to_that_line() -> None:
    result = attribute("[1] Bananas and Curie are Polish.\n[2] Bananas.", "", SOURCES)
    assert [s.n for s in result.supports] == [1]


def test_denial_must_agree() -> None:
    question = "How is the X200?"
    assert cited("The X200 isn't waterproof.", question)[0][2]
    assert not cited("The X200 is waterproof.", question)[0][2]


@pytest.mark.parametrize("opening", ["Overall, the", "Approximately, the", "Generally the", "Notably the"])
def test_a_sentence_may_begin_with_a_word_of_its_own(opening: str) -> None:
    ((_, _, supported),) = cited(f"{opening} maximum pressure of the X200 is 3.5 bar.", "What pressure?")
    assert supported


def test_a_denial_must_be_of_the_same_thing() -> None:
    text = "In 1977 the court ruled that the punishment is constitutional and did not violate the amendment."
    source = Source(1, 1, 0, text)
    claims = ("In 1977 the court ruled that the punishment is not constitutional.", "The court ruled in 1977")
    supported = [attribute(claim, "", [source]).supports[0].supported for claim in claims]
    assert supported == [False, True]


def test_a_denial_of_something_else_does_not_matter() -> None:
    source = Source(1, 1, 0, "The lamp does not need batteries and lasts 5 years, not counting not.")
    (support,) = attribute("The lamp lasts 5 years.", "", [source]).supports
    assert support.supported


def test_chinese_is_attributed_too() -> None:
    result = attribute("法国的首都是巴黎。", "法国的首都是什么？", SOURCES)
    assert result.text == "法国的首都是巴黎[3]。"
    assert [(s.quote, s.supported) for s in result.supports] == [("巴黎是法国的首都。", True)]


def test_german_nouns_are_no_names() -> None:
    text = (
        "Die Pumpe hat eine Garantie von 24 Monaten ab dem Tag des Kaufs. Der Hersteller sitzt in Lübeck und "
        "baut seit 1987 Geräte für den Garten, den Teich und das Haus. Für die Reinigung der Pumpe "
        "braucht man ein Tuch, etwas Wasser und eine Bürste aus Holz. Der Filter muss "
        "nach einem Jahr ersetzt werden."
    )
    result = attribute(
        "Für die Pumpe im Garten gilt eine Garantie von 24 Monaten ab Kauf.", "", [Source(1, 1, 0, text)]
    )
    assert [s.supported for s in result.supports] == [True]


def test_names_that_were_asked_about_may_stand_in_the_heading() -> None:
    source = Source(4, 5, 0, "The warranty lasts 24 months.", "Aurora pumps.pdf\nAurora")
    (support,) = attribute(
        "The Aurora warranty lasts 24 months.", "How long is the Aurora warranty?", [source]
    ).supports
    assert support.supported


PLAGUE = Source(
    1,
    1,
    0,
    "In 1466 the plague reached Paris. Another plague killed 50,000 in Venice. Anna Berg wrote about it. "
    "She lived in Rome, and her book appeared in 1480.",
)


@pytest.mark.parametrize(
    ("answer", "question", "expected"),
    [
        ("The plague killed 50,000 people in Paris.", "How many people did the plague kill in Paris?", False),
        ("The plague killed 50,000 in 1466.", "How many people did the plague kill in 1466?", False),
        (
            "The plague killed 50,000 people in Venice.",
            "How many people did the plague kill in Venice?",
            True,
        ),
        ("Anna Berg lived in Rome.", "Where did Anna Berg live?", True),  # "She lived in Rome"
        ("Venice lived in Rome.", "Where did Anna Berg live?", False),
    ],
)
def test_a_name_that_was_asked_about_counts_only_where_a_pronoun_means_it(
    answer: str, question: str, expected: bool
) -> None:
    supports = attribute(answer, question, [PLAGUE]).supports
    assert any(support.supported for support in supports) == expected


def test_a_pronoun_may_mean_a_name_further_up() -> None:
    source = Source(1, 1, 0, "Anna Berg was a painter. Many people came to the fair. She lived in Rome.")
    question = "Where did Anna Berg live?"
    (support,) = attribute("Anna Berg lived in Rome.", question, [source]).supports
    assert (support.quote, support.supported) == ("She lived in Rome.", True)
    later = Source(1, 1, 0, "She lived in Rome. Many people came to the fair. Anna Berg was a painter.")
    assert not any(s.supported for s in attribute("Anna Berg lived in Rome.", question, [later]).supports)


def test_a_short_answer_far_from_what_was_asked_is_not_supported() -> None:
    source = Source(1, 1, 0, "Anna likes tea. Tom likes rain. Eve likes snow. Ida has 42 days off.")
    result = attribute("42 days", "How long is the warranty?", [source])
    assert not any(support.supported for support in result.supports)


def test_yes_and_no_are_not_verified_by_words() -> None:
    ((n, quote, supported),) = cited("No.", "Is the pump waterproof?")
    assert (n, supported) == (2, False)
    assert quote.endswith("It is not waterproof.")
    assert cited("Yes.", "") == []


@pytest.mark.parametrize(
    "answer",
    [
        "# Marie Curie was born in 1867",
        "Here is what I found:",
        "Was she born in Warsaw in 1867?",
        "The passages do not say where she was buried.",
        "I cannot find that.",
        "However, the provided context does not say it.",
        "There is no information about her grave.",
        "It is not clearly stated in the documents.",
        "The documents contain no mention of it.",
        "```\nborn = Warsaw[1]\n```",
        "***",
        "",
        "   ",
    ],
)
def test_what_states_nothing_is_neither_cited_nor_marked(answer: str) -> None:
    result = attribute(answer, "When was Marie Curie born?", SOURCES)
    assert result == Attribution(answer.strip())


def test_a_claim_that_mentions_what_is_not_specified_is_still_a_claim() -> None:
    answer = "It also mentions that pumps cannot fly, which may not have been specified by Helga."
    assert unsupported(answer) == [answer]


def test_markdown_lists_keep_their_form() -> None:
    answer = "- The maximum pressure is **3.5 bar**.\n- At 40 °C, it is 2.8 bar."
    result = attribute(answer, "What pressure?", SOURCES)
    assert result.text == "- The maximum pressure is **3.5 bar** [2].\n- At 40 °C, it is 2.8 bar [2]."


def test_the_quote_of_a_long_sentence_is_cut_to_its_clauses() -> None:
    filler = "and the weather was mild; " * 20
    source = Source(1, 1, 50, f"{filler}the maximum pressure is 3.5 bar; {filler}")
    (support,) = attribute("The maximum pressure is 3.5 bar.", "", [source]).supports
    assert support.quote == "the maximum pressure is 3.5 bar"
    assert support.char_start == 50 + source.text.index(support.quote)


def test_a_long_sentence_whose_words_are_far_apart_stays_long() -> None:
    filler = "and the weather was mild; " * 20
    source = Source(1, 1, 0, f"maximum pressure; {filler}3.5 bar")
    (support,) = attribute("The maximum pressure is 3.5 bar.", "", [source]).supports
    assert support.quote == source.text


def test_a_model_that_repeats_itself_is_borne() -> None:
    result = attribute("She was born in Warsaw in 1867. " * (MAX_CLAIMS + 50), "", SOURCES)
    assert len(result.supports) == MAX_CLAIMS


def test_an_echo_of_the_prompt_is_borne() -> None:
    echo = "[1] curie.txt, page 1:\nMarie Curie was a Polish physicist.\n\nQuestion: who?"
    result = attribute(echo, "who?", SOURCES)
    assert "Marie Curie was a Polish physicist" in result.text


def test_no_passages_support_nothing() -> None:
    result = attribute("She was born in 1867.", "When?", [])
    assert result.supports == ()
    assert result.unsupported == ((0, len(result.text)),)


PIECES = (
    "Marie Curie X200 pump warranty 24 months 1867 not [1] [2] born, in and Warsaw. 巴黎 首都。 - ** `x` "
    "``` \n : ; 3.5"
)


def test_an_answer_gone_astray_still_points_to_the_place_nearest_to_the_question() -> None:
    text = "Mail is in /var. The encrypted passwords of all users stand in /etc/shadow."
    result = attribute(
        "It is the telephone directory.",
        "Which file holds the encrypted passwords of users?",
        [Source(4, 1, 0, text)],
    )
    (support,) = result.supports
    assert not support.supported
    assert "/etc/shadow" in support.quote
    assert result.text == "It is the telephone directory [4]."
    assert result.unsupported == ((0, len(result.text)),)


def test_a_joint_with_too_short_a_half_is_passed_over() -> None:
    claim = claim_of("Yes, the boiler valve holds 5 bar and the water tank holds 9 litres.", "How much?")
    assert [left.text for left, _ in _halves(claim)] == ["Yes, the boiler valve holds 5 bar"]


WORDS = st.sampled_from(PIECES.split(" "))
TEXTS = st.lists(WORDS, max_size=40).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS | st.text(), TEXTS, st.lists(TEXTS | st.text(), max_size=3), st.integers(0, 1000))
def test_quotes_are_always_slices_and_ranges_always_fit(
    answer: str, question: str, texts: list[str], offset: int
) -> None:
    sources = [Source(n, n, offset, text) for n, text in enumerate(texts, start=1)]
    result = attribute(answer, question, sources)
    for support in result.supports:
        text = texts[support.n - 1]
        start, end = support.char_start - offset, support.char_end - offset
        assert 0 <= start < end <= len(text)
        assert support.quote == text[start:end]
        assert 0 <= support.answer_start < support.answer_end <= len(result.text)
        assert f"[{support.n}]" in result.text[support.answer_start : support.answer_end]
    for start, end in result.unsupported:
        assert 0 <= start < end <= len(result.text)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 9_999), st.integers(2, 9_999))
def test_another_number_is_never_supported(stored: int, said: int) -> None:
    source = Source(1, 1, 0, f"The bridge has a length of {stored} metres.")
    result = attribute(f"The bridge has a length of {said} metres.", "How long is the bridge?", [source])
    assert all(support.supported == (stored == said) for support in result.supports)
    assert bool(result.unsupported) == (stored != said)
