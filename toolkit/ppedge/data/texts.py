"""Random texts: lines as they stand on receipts, signs and forms, and licence plate numbers."""

from __future__ import annotations

import string
from collections.abc import Callable, Collection
from itertools import accumulate

import numpy as np

from ppedge.data.plates import Layout
from ppedge.ocr.charset import PROVINCES

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Letters of Chinese plates: no I and no O, which look like figures."""

_SHARES: dict[Layout, float] = {"green": 0.4, "blue": 0.6, "yellow": 0.2, "double": 0.2, "large_green": 0.1}

_ONSETS = (
    "b", "br", "c", "ch", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pl", "qu", "r", "s", "sh",
    "st", "t", "tr", "v", "w", "x", "y", "z", "",
)  # fmt: skip
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "ea", "ee", "oo", "ou")
_CODAS = ("", "", "", "n", "r", "s", "t", "l", "ck", "nd", "ng", "st", "m", "x", "ve")
_WORDS = (
    "the", "of", "and", "to", "in", "for", "total", "tax", "date", "cash", "change", "invoice", "receipt",
    "thank", "you", "open", "exit", "street", "road", "no", "item", "price", "amount", "bill", "table", "phone",
    "fax", "email", "shop", "cafe", "hotel", "sale", "free", "new", "service", "station", "north", "south",
    "east", "west", "main", "park", "city", "food", "tea", "coffee", "bread", "milk", "paper", "pen", "book",
    "member", "card", "point", "qty", "rounding", "subtotal", "discount",
)  # fmt: skip
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation


def plate_text(rng: np.random.Generator, layouts: Collection[Layout] = ("blue", "green")) -> tuple[str, Layout]:
    """Return a plate number and its layout, one of ``layouts``: the rarer a plate is on the road, the rarer here.

    A number is province, city letter and five characters; of new energy six, a D or F before or, of large cars, behind.
    """
    shares = {layout: share for layout, share in _SHARES.items() if layout in layouts}
    place = rng.random() * sum(shares.values())
    layout = next(name for name, end in zip(shares, accumulate(shares.values()), strict=True) if place < end)
    serial = [_pick(string.digits, rng) for _ in range(5)]
    for number in rng.choice(5, size=int(rng.integers(0, 3)), replace=False):
        serial[number] = _pick(LETTERS, rng)
    if layout in ("green", "large_green"):
        serial.insert(0 if layout == "green" else 5, _pick("DF", rng))
    return _pick(PROVINCES, rng) + _pick(LETTERS, rng) + "".join(serial), layout


def line_text(rng: np.random.Generator, longest: int = 32) -> str:
    """Return a line of printable ASCII, no space at its ends: words, an amount, a date, a code, or a jumble."""
    kinds: tuple[Callable[[np.random.Generator], str], ...] = (_words, _words, _amount, _date, _code, _jumble)
    return kinds[rng.integers(len(kinds))](rng)[:longest].strip()


def _pick(choices: str, rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _digits(count: int, rng: np.random.Generator) -> str:
    return "".join(_pick(string.digits, rng) for _ in range(count))


def _word(rng: np.random.Generator) -> str:
    if rng.random() < 0.4:
        return _WORDS[rng.integers(len(_WORDS))]
    parts = (_ONSETS, _NUCLEI, _CODAS) * int(rng.integers(1, 4))
    return "".join(part[rng.integers(len(part))] for part in parts)


def _words(rng: np.random.Generator) -> str:
    text = " ".join(_word(rng) for _ in range(int(rng.integers(1, 5))))
    style = rng.random()
    text = text.upper() if style < 0.35 else text.title() if style < 0.7 else text
    return text + (_pick(".,:;!?)", rng) if rng.random() < 0.2 else "")


def _amount(rng: np.random.Generator) -> str:
    sign = ("", "", "$", "RM ", "-", "USD ", "x ", "@")[rng.integers(8)]
    whole = int(10 ** rng.uniform(0, 5))
    number = f"{whole:,}" if rng.random() < 0.3 else str(whole)
    return f"{sign}{number}.{_digits(2, rng)}" + ("%" if rng.random() < 0.1 else "")


def _date(rng: np.random.Generator) -> str:
    year, month, day = int(rng.integers(1990, 2040)), int(rng.integers(1, 13)), int(rng.integers(1, 29))
    hour, minute = int(rng.integers(24)), int(rng.integers(60))
    forms = (
        f"{day:02}/{month:02}/{year}",
        f"{year}-{month:02}-{day:02}",
        f"{day:02}.{month:02}.{year % 100:02}",
        f"{day:02}-{month:02}-{year} {hour:02}:{minute:02}",
        f"{hour:02}:{minute:02}:{day:02}",
    )
    return forms[rng.integers(len(forms))]


def _code(rng: np.random.Generator) -> str:
    lengths = rng.integers(2, 7, int(rng.integers(1, 4))).tolist()
    groups = ["".join(_pick(LETTERS + string.digits * 2, rng) for _ in range(length)) for length in lengths]
    mark = ("", "No. ", "#", "ID: ", "TEL: ", "(")[rng.integers(6)]
    return mark + _pick("-/ .", rng).join(groups)


def _jumble(rng: np.random.Generator) -> str:
    return "".join(_pick(_PRINTABLE, rng) for _ in range(int(rng.integers(2, 12))))
