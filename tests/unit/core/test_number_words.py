"""Numbers are said in the ways that people say them."""

from app.core.number_words import decade_in_words, in_words, ordinal_in_words


def test_says_numbers() -> None:
    assert in_words(25) == ("twenty five",)
    assert "nineteen oh five" in in_words(1905)
    assert "nineteen hundred" in in_words(1900)
    assert "eleven hundred" in in_words(1100)
    assert "twenty twenty four" in in_words(2024)
    assert in_words(2005) == ("two thousand and five", "two thousand five")
    assert in_words(0) == in_words(10**6) == ordinal_in_words(0) == ()
    assert ordinal_in_words(3) == ("third",)
    assert ordinal_in_words(100) == ("one hundredth", "hundredth")


def test_says_decades() -> None:
    assert decade_in_words(1980) == ("nineteen eighties",)
    assert decade_in_words(1900) == decade_in_words(980) == ()
