"""What a campaign tells: a table of counts, and for each finding how to repeat it alone."""

from __future__ import annotations

from collections.abc import Mapping

from fuzz.contract import FINDINGS, KINDS
from fuzz.runner import Tally

_COLUMNS = ("target", "inputs", *KINDS, "largest memory", "slowest")


def table(tallies: Mapping[str, Tally]) -> str:
    """Return one row a target and one of all, as a Markdown table in columns of even width."""
    rows = [_COLUMNS, *(_row(name, tally) for name, tally in sorted(tallies.items()))]
    if len(tallies) > 1:
        rows.append(_row("all", _sum(tallies)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * (width - 1) + ":" for width in widths))
    lines = [" | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def findings(tallies: Mapping[str, Tally]) -> str:
    """Return what was found: kind, place, how often, and the command that repeats it; empty if nothing was."""
    lines = []
    for name, tally in sorted(tallies.items()):
        for (kind, place), count in tally.findings.most_common():
            lines.append(f"{name}: {kind}, {count} times: {place}")
            lines += [f"    cd tests && ../.venv/bin/python -m fuzz --again {kept}" for kept in tally.kept[kind, place]]
    return "\n".join(lines)


def found(tallies: Mapping[str, Tally]) -> int:
    """Return the number of inputs that are findings."""
    return sum(tally.counts[kind] for tally in tallies.values() for kind in FINDINGS)


def _sum(tallies: Mapping[str, Tally]) -> Tally:
    whole = Tally()
    for tally in tallies.values():
        whole.counts.update(tally.counts)
        whole.memory, whole.slowest = max(whole.memory, tally.memory), max(whole.slowest, tally.slowest)
    return whole


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    counts = (str(tally.counts[kind]) for kind in KINDS)
    memory = f"{tally.memory / 1e6:,.0f} MB"
    return name, str(tally.counts.total()), *counts, memory, f"{tally.slowest:.2f} s"
