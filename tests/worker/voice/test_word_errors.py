"""The measure of speech to text itself."""

import pytest

from scripts.bench.word_errors import WordErrors, total, word_errors, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mr. Smith's well-known 21st cat", "mister smith's well known twenty-first cat"),
        (
            "In 1891, 40% of 2,150 & more",
            "in eighteen ninety one forty percent of two thousand one hundred fifty and more",
        ),
        (
            "8.05 in 1905, 1900 and 2000",
            "eight point zero five in nineteen oh five nineteen hundred and two thousand",
        ),
        ("the 12th and the 30th", "the twelfth and the thirtieth"),
        ("“Don’t!”", "don't"),
    ],
)
def test_what_sounds_the_same_is_equal(one: str, other: str) -> None:
    """Numbers, short forms, case and punctuation are no errors."""
    assert words(one) == words(other)


def test_errors_are_counted() -> None:
    """A changed, a missing and an added word are one error each."""
    assert word_errors("he was not an old man", "she was an old grey man") == WordErrors(3, 6)
    assert word_errors("a b c", "a b c").rate == 0.0
    assert word_errors("", "words").rate == 1.0
    assert total([WordErrors(1, 10), WordErrors(2, 5)]) == WordErrors(3, 15)
