"""HTML as values: elements and tables whose texts are escaped, so that no string of a report can become markup."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from html import escape

_VOID = ("br", "img", "meta")
# What HTML does not allow, and what would turn the direction of the text around it.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


class Html(str):
    """A piece of a page; every other string is text, and is escaped on its way into one."""


Attribute = str | int | float | None


def tag(name: str, /, *children: str | None, **attributes: Attribute) -> Html:
    """Return an element.

    Args:
        name: Of the element.
        children: Its content: `Html` as it is, text escaped, None left out.
        attributes: ``class_`` means ``class``, other underscores are hyphens; None leaves the attribute out.
    """
    words = [name] + [
        f'{key.rstrip("_").replace("_", "-")}="{text(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    opening = f"<{' '.join(words)}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{join(*children)}</{name}>")


def join(*children: str | None) -> Html:
    """Return pieces and texts one after the other; None is left out."""
    return Html("".join(text(child) for child in children if child is not None))


def text(value: str) -> Html:
    """Return a text escaped, and `Html` as it is; characters that HTML does not allow become U+FFFD."""
    return value if isinstance(value, Html) else Html(escape(_UNFIT.sub("\ufffd", value), quote=True))


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Collection[int] = ()) -> Html:
    """Return a table that scrolls by itself where the page is narrower; each row's first cell is its header.

    Args:
        caption: What the table shows.
        head: The columns' headers.
        rows: Cells, as many as there are headers.
        numeric: Columns that are set flush right.
    """

    def align(column: int) -> str | None:
        return "number" if column in numeric else None

    heads = [tag("th", word, scope="col", class_=align(k)) for k, word in enumerate(head)]
    body = [
        tag("tr", *(
            tag("td", cell, class_=align(k)) if k else tag("th", cell, scope="row") for k, cell in enumerate(row)
        ))
        for row in rows
    ]  # fmt: skip
    content = [tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *body)]
    # A region that scrolls must be reachable by keyboard, and say what it is.
    return tag("div", tag("table", *content), class_="scroll", role="region", tabindex=0, aria_label=caption)


def compared(label: str, read: str) -> Html:
    """Return what was read in a line of text, with the characters that are not the label's marked."""
    pieces = [
        read[start:end] if kind == "equal" else tag("mark", read[start:end])
        for kind, _, _, start, end in SequenceMatcher(None, label, read, autojunk=False).get_opcodes()
        if end > start
    ]
    return tag("span", *pieces, class_="read") if pieces else tag("span", "nothing", class_="quiet")


def _number(value: str | int | float) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
