"""``ppedge report``."""

from __future__ import annotations

import typer

from ppedge.cli.options import RunFolder, opened_run
from ppedge.cli.output import say

app = typer.Typer(add_completion=False)


@app.command()
def report(run: RunFolder = None) -> None:
    """Write a page on a run: its stages, figures, training curves, what slimming left, files and their cost, gates.

    Without RUN it is of the run that was written to last, and the first line says which that is.
    The page is RUN/report.html; it opens from disk and can be handed on as one file. `ppedge run` writes it at its end.
    """
    from ppedge.report.page import write_report

    say(str(write_report(opened_run(run))))
