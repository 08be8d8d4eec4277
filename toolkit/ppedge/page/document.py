"""A whole page: it opens from disk, without network, on a phone too, and can be handed on as one file."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from ppedge.page.markup import Html, tag

_STYLE = Path(__file__).with_name("page.css")
# Nothing may be loaded from anywhere, whatever a page holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, *parts: str | None) -> str:
    """Return a page in English.

    Args:
        title: Of the window.
        parts: What it shows, one below the other; None is left out.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", title),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', *parts)), lang='en')}\n"


def picture(jpeg: bytes, words: str, caption: Html | None = None) -> Html:
    """Return a picture that the page itself holds, with words below it.

    Args:
        jpeg: The file.
        words: What it shows, also for those who do not see it.
        caption: What stands below it; by default the words.
    """
    source = f"data:image/jpeg;base64,{b64encode(jpeg).decode('ascii')}"
    return tag("figure", tag("img", src=source, alt=words, loading="lazy"), tag("figcaption", caption or words))
