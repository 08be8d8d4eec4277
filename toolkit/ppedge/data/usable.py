"""Whether label files are of use to a training, and what is to be done where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ppedge.data.check import readable
from ppedge.data.labelled import Labels, Problem, Sample
from ppedge.data.ppocrlabel import LABELS, confirmed_alone
from ppedge.errors import PpedgeError

ROOT_OPTION = "--root DIR"
"""What names the folder of the pictures where no recipe does."""
_NEXT_TO_ALL = 0.9


def usable(
    labels: Labels[Sample], skip_bad: bool, root: Path | None = None, option: str = ROOT_OPTION
) -> tuple[list[Sample], int]:
    """Return the samples that a training can use, after decoding every picture.

    Args:
        labels: What `read_labels` returned.
        skip_bad: Leave bad lines and pictures out; without it, one is an error.
        root: See `require_usable`, and there for ``option``.
        option: Likewise.

    Returns:
        The good samples and the number of label lines that were left out.

    Raises:
        PpedgeError: There is a problem and no ``skip_bad``, or nothing is left.
    """
    good = readable(labels)
    require_usable(len(good.samples), good.problems, skip_bad, root, option)
    return good.samples, len(good.problems)


def require_usable(
    good: int, problems: Sequence[Problem], skip_bad: bool, root: Path | None = None, option: str = ROOT_OPTION
) -> None:
    """Refuse label files that a training cannot use.

    Args:
        good: How many good lines they have.
        problems: Of the others.
        skip_bad: Bad lines are left out; without it, one is an error.
        root: The folder that pictures were looked for below; None if no label file names them.
        option: See `looked_elsewhere`.

    Raises:
        PpedgeError: There is a problem and no ``skip_bad``, or no good line.
    """
    count = len(problems)
    more = f", and {count - 1} more" if count > 1 else ""
    elsewhere = "" if root is None else looked_elsewhere(good, problems, root, option)
    if elsewhere and not (good and skip_bad):
        raise PpedgeError(f"{problems[0]}{more}.", elsewhere)
    if count and not skip_bad:
        raise PpedgeError(
            f"{problems[0]}{more}.", "List all of them with `ppedge data check`, or leave them out with --skip-bad."
        )
    if not good:
        first = f" The first problem: {problems[0]}." if count else ""
        raise PpedgeError(f"The label files have no usable line.{first}", "List the problems with `ppedge data check`.")


def looked_elsewhere(good: int, problems: Sequence[Problem], root: Path, option: str) -> str:
    """Say where pictures were looked for, if next to none of them is there: they lie below another folder then.

    Args:
        good: How many good lines label files have.
        problems: Of the others.
        root: The folder that pictures were looked for below.
        option: What names another one.

    Returns:
        Sentences; empty if more pictures are there.
    """
    missing = [problem for problem in problems if problem.missing]
    if not missing or len(missing) < _NEXT_TO_ALL * (good + len(problems)):
        return ""
    place, labels = root.absolute(), missing[0].file
    told = (
        f"Pictures were looked for below {place}, such as {place / missing[0].missing}: name their folder by {option}."
    )
    if labels.name != LABELS:
        return told
    return f"{told} Or `{confirmed_alone(labels.parent)}` makes labels that name them from where they are."
