"""What a checkpoint's course depended on, so that another is not taken for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from ppedge.data.samples import places_of, texts_of
from ppedge.train.course import Course
from ppedge.train.task import OUTPUT_ERROR

_AT_ONCE = 4096  # labels that are written down together


def fingerprint(course: Course, samples: Sequence[Any], world: int) -> str:
    """Return the sha256 of the data and settings that a course's steps depend on.

    Args:
        course: The course.
        samples: Those that are trained on.
        world: How many processes train.
    """
    recipe = course.task.recipe
    elsewhere = {"slim", "convert", "validate_", "train"}  # this course's own part is its schedule
    settings = [
        course.title,
        course.schedule.model_dump(mode="json", exclude={"checkpoint_every", "workers", "weights_check"}),
        recipe.model_dump(mode="json", exclude=elsewhere),
        course.task.spec.to_dict(),
        *([] if course.original is None else [OUTPUT_ERROR]),  # evaluations without it do not compare
    ]
    # The JSON text of [*settings, labels, world], of which the labels may be too many to be held at once.
    digest = hashlib.sha256(json.dumps(settings)[:-1].encode())
    labels, before = zip(places_of(samples), texts_of(samples), strict=True), ", ["
    while some := list(islice(labels, _AT_ONCE)):
        digest.update(f"{before}{json.dumps(some)[1:-1]}".encode())
        before = ", "
    digest.update(f"{'' if before == ', ' else before}], {json.dumps(world)}]".encode())
    return digest.hexdigest()
