"""What the specification that ships with a model changes of the reference's, key by key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ppedge.ocr.spec import ModelSpec

STAGES = ("preprocess", "network", "postprocess")
_STAGE_OF = {
    "det_preprocess": "preprocess",
    "rec_preprocess": "preprocess",
    "cls_preprocess": "preprocess",
    "det_postprocess": "postprocess",
    "cls_postprocess": "postprocess",
    "characters": "postprocess",
}


@dataclass(frozen=True)
class Change:
    """A key with two values.

    Attributes:
        stage: The stage that reads it: ``preprocess`` or ``postprocess``.
        key: Its dotted name, as in a recipe; of a character set, the class: ``characters[7]``.
        reference: The reference's value; None where it has none.
        shipped: The shipped value.
    """

    stage: str
    key: str
    reference: Any
    shipped: Any


def changes(reference: ModelSpec, shipped: ModelSpec) -> list[Change]:
    """Return the keys whose values differ; of two character sets the first class that differs."""
    found = []
    for section, stage in _STAGE_OF.items():
        if section == "characters":
            found += _characters(reference.characters, shipped.characters)
            continue
        first, second = (_values(spec, section) for spec in (reference, shipped))
        found += [
            Change(stage, f"{section}.{key}", first.get(key), second.get(key))
            for key in {**first, **second}
            if first.get(key) != second.get(key)
        ]
    return found


def _values(spec: ModelSpec, section: str) -> dict[str, Any]:
    value = getattr(spec, section)
    # Lists, as JSON has them: a report reads the same whether it was just made or read from its file.
    return {} if value is None else {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(value).items()}


def _characters(reference: tuple[str, ...], shipped: tuple[str, ...]) -> list[Change]:
    for index, (first, second) in enumerate(zip(reference, shipped, strict=False)):
        if first != second:
            return [Change("postprocess", f"characters[{index}]", first, second)]
    if len(reference) != len(shipped):
        return [Change("postprocess", "characters", f"{len(reference)} characters", f"{len(shipped)} characters")]
    return []
