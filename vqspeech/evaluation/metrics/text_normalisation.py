"""Transcripts brought to one form, so that spelling is not counted as error: case, marks, numbers, titles."""

from __future__ import annotations

import re
import unicodedata

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_SPELT_OUT = {
    "mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay", "alright": "all right", "etc": "et cetera",
}  # fmt: skip
_SIGNS = {"&": " and ", "%": " percent ", "£": " pounds ", "$": " dollars "}
_APOSTROPHES = "'`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
#: Numbers from here on are read digit by digit.
_MOST = 10**12


def normalise(text: str) -> str:
    """``"Mr. O'Hara's 21st, isn't it?"`` -> ``"mister oharas twenty first isnt it"``.

    Lower case; accents and apostrophes dropped, other marks turned into spaces; what stands in brackets left out (a
    recogniser's ``[noise]``); numbers and common abbreviations spelt out. English.
    """
    # Twice: a letter may come out of a sign (the one for "service mark"), and a mark off a letter made small.
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).lower())
    text = re.sub(r"[\[(<][^\])>]*[\])>]", " ", text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"\d{1,3}(,\d{3})+\b", lambda found: _spoken(found[0].replace(",", ""), year=False), text)
    text = re.sub(r"(?<=\d)\.(?=\d)", " point ", text)
    text = re.sub(r"(\d+)(st|nd|rd|th)\b", lambda found: f" {_ordinal(int(found[1]))} ", text)
    text = re.sub(r"\d+", lambda found: f" {_spoken(found[0])} ", text)
    text = "".join(c for c in text if not unicodedata.combining(c) and c not in _APOSTROPHES)
    words = re.sub(r"[^\w]|_", " ", text).split()
    return " ".join(_SPELT_OUT.get(word, word) for word in words)


def _spoken(digits: str, *, year: bool = True) -> str:
    number = int(digits)
    if number >= _MOST or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_ONES[int(digit)] for digit in digits)
    # Years are read in two halves.
    if year and len(digits) == 4 and 1100 <= number < 2000 and number % 100 >= 10:
        return f"{_cardinal(number // 100)} {_cardinal(number % 100)}"
    return _cardinal(number)


def _cardinal(number: int) -> str:
    for value, name in _SCALES:
        if number >= value:
            rest = f" {_cardinal(number % value)}" if number % value else ""
            return f"{_cardinal(number // value)} {name}{rest}"
    if number < len(_ONES):
        return _ONES[number]
    return _TENS[number // 10] + (f" {_ONES[number % 10]}" if number % 10 else "")


def _ordinal(number: int) -> str:
    *before, last = _cardinal(number).split()
    ending = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*before, ending])
