"""What the commands of ``ppedge data`` say of label files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppedge.cli.output import say

if TYPE_CHECKING:
    from ppedge.data.check import Report
    from ppedge.data.labelled import Problem


def show_report(report: Report) -> None:
    """Say what a check has found: each problem, the counts, and what becomes of regions."""
    list_problems(report.problems)
    say(
        f"{report.samples} labels, {report.pictures} pictures, {report.boxes} boxes of which {report.ignored} ignored, "
        f"{len(report.problems)} problems"
    )
    say_changes(report.reversed, report.clipped)
    say_left_out(report.left_out)
    if report.outside_charset:
        from ppedge.data.statistics import counted

        say(f"outside the character set: {counted(report.outside_charset)}")


def say_changes(turned: int, clipped: int) -> None:
    """Say how many boxes are turned round, and how many are cut off."""
    if turned:
        say(f"{turned} boxes run counter-clockwise: they are turned round, to start at the upper left")
    if clipped:
        say(f"{clipped} boxes stick out of their picture: they are cut off at its edge")


def say_left_out(reasons: dict[str, int]) -> None:
    """Say how many regions are no line for a recogniser, by why."""
    if reasons:
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        say(f"regions that give a recogniser no line: {counts}")


def list_problems(problems: list[Problem]) -> None:
    """Say each problem on a line."""
    for problem in problems:
        say(str(problem))
