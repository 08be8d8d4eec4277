"""What commands print: one way for lines, JSON and tables, so that nothing of a file's is carried out by a terminal.

Names and texts come from files that somebody else wrote. Control characters are shown as escapes, and square brackets
are no markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import typer

from ppedge.errors import UNPRINTABLE, printable

Justify = Literal["left", "right"]


def say(text: str, *, err: bool = False) -> None:
    """Print one line on standard output, or on standard error."""
    typer.echo(printable(text), err=err)


def emit(value: Any) -> None:
    """Print a command's result as JSON on standard output; it reads back as the same value."""
    for line in json.dumps(value, indent=2, ensure_ascii=False).split("\n"):
        typer.echo(UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", line))


def print_table(
    columns: Mapping[str, Justify],
    rows: Iterable[Sequence[str | Sequence[str]]],
    *,
    title: str = "",
    lines: bool = True,
    width: int | None = None,
) -> None:
    """Print a table on standard output.

    Args:
        columns: Headings, and how the cells below them are set.
        rows: Cells, each a text, or several texts that stand on a line each.
        title: Stands above it.
        lines: Draw lines between head, columns and edges.
        width: In characters; None for the terminal's own.
    """
    from rich.box import HEAVY_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=printable(title) or None, title_justify="left", title_style="bold", box=HEAVY_HEAD if lines else None
    )
    for heading, justify in columns.items():
        table.add_column(printable(heading), overflow="fold", justify=justify)
    for row in rows:
        cells = ([cell] if isinstance(cell, str) else cell for cell in row)
        table.add_row(*("\n".join(map(printable, texts)) for texts in cells))
    Console(width=width, highlight=False, markup=False, emoji=False).print(table)
