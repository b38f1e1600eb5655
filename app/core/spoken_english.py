"""What an English voice says for amounts, ranges, dates, units and short forms that it would spell or lose.

The voices' own rules (espeak-ng) read "<5 ms" as "five M S", "12–15" as "twelve fifteen", "km/h" as "K M
slash H" and "€35k" as "euros thirty five K".
"""

import re

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_MULTIPLES = {"k": "thousand", "m": "million", "bn": "billion"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS = {
    "km": "kilometers",
    "cm": "centimeters",
    "mm": "millimeters",
    "kg": "kilograms",
    "mg": "milligrams",
    "ml": "milliliters",
    "ms": "milliseconds",
    "kB": "kilobytes",
    "MB": "megabytes",
    "GB": "gigabytes",
    "TB": "terabytes",
    "kW": "kilowatts",
    "kWh": "kilowatt hours",
    "Hz": "hertz",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "GHz": "gigahertz",
}
_RATES = _UNITS | {"m": "meters"}
_PER = {"h": "hour", "s": "second", "min": "minute", "m": "meter", "kg": "kilogram", "l": "liter"}
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SHORT = {
    "p.": "page",
    "pp.": "pages",
    "no.": "number",
    "nos.": "numbers",
    "fig.": "figure",
    "figs.": "figures",
    "sec.": "section",
    "ch.": "chapter",
    "eq.": "equation",
    "vol.": "volume",
}


def _either(words: dict[str, str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_MONEY = re.compile(
    rf"(?<!\w)(?P<sign>[$€£])(?P<amount>{_NUMBER})(?:\s?(?P<multiple>k|K|m|M|bn)\b)?(?![\w.]*\d)"
)
_DATE = re.compile(r"(?<![\w.-])(?P<year>[12]\d{3})-(?P<month>0[1-9]|1[0-2])-(?P<day>[0-3]\d)(?![\w-])")
_RANGE = re.compile(r"(?<![\w–.,])(\d[\d.,]*)\s?–\s?(?=\d)")
_RATE = re.compile(rf"(?<=\d)\s?(?P<unit>{_either(_RATES)})/(?P<per>{_either(_PER)})(?!\w)")
_UNIT = re.compile(rf"(?<=\d)\s?(?P<unit>{_either(_UNITS)})(?![\w/])")
_FORM = re.compile(rf"(?<![\w.])(?P<form>{_either(_SHORT)})\s*(?=\d)", re.IGNORECASE)
_VERSUS = re.compile(r"(?<![\w.])vs\.(?=\s)")
_SHARP = re.compile(r"\b([A-GJ])#(?!\w)")
_HASH = re.compile(r"(?<![\w#&])#(?=\d)")
_POWER = re.compile(r"(?<=[\w)])([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)")
_LESS = re.compile(r"(?<![<>=\-])<\s?(?=\d)")
_MORE = re.compile(r"(?<![<>=\-])>\s?(?=\d)")
_N_DIGITS_OF_CENTS = 2


def in_english(text: str) -> str:
    """Write out what an English voice cannot read as it is meant."""
    text = _DATE.sub(_date, _POWER.sub(_power, text))
    text = _MONEY.sub(_money, text)
    text = _RANGE.sub(r"\1 to ", text)
    text = _RATE.sub(lambda match: f" {_RATES[match['unit']]} per {_PER[match['per']]}", text)
    text = _UNIT.sub(lambda match: f" {_UNITS[match['unit']]}", text)
    text = _FORM.sub(lambda match: f"{_SHORT[match['form'].casefold()]} ", text)
    text = _HASH.sub("number ", _SHARP.sub(r"\1 sharp", _VERSUS.sub("versus", text)))
    return _MORE.sub("more than ", _LESS.sub("less than ", text))


def _date(match: re.Match[str]) -> str:
    return f"{_MONTHS[int(match['month']) - 1]} {int(match['day'])}, {match['year']}"


def _money(match: re.Match[str]) -> str:
    whole, _, part = match["amount"].partition(".")
    unit, small = _CURRENCIES[match["sign"]]
    if match["multiple"]:
        return f"{match['amount']} {_MULTIPLES[match['multiple'].casefold()]} {unit}s"
    words = f"{whole} {unit}" if whole == "1" else f"{whole} {unit}s"
    if len(part) == _N_DIGITS_OF_CENTS and part.strip("0"):
        several = "pence" if small == "penny" else f"{small}s"
        return f"{words} and {int(part)} {small if int(part) == 1 else several}"
    if part.strip("0"):
        return f"{match['amount']} {unit}s"
    return words


def _power(match: re.Match[str]) -> str:
    number = match[1].translate(_POWERS)
    return {"2": " squared", "3": " cubed"}.get(number, f" to the power of {number}")
