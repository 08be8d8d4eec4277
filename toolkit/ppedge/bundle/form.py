"""The form of a bundle's manifest, of either schema: as much of it as reading pictures by the bundle needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator
from typing_extensions import NotRequired, TypedDict

from ppedge.bundle.recognizers import ONE, SEVERAL, require_names
from ppedge.errors import PpedgeError


class _Entry(TypedDict):
    file: str
    sha256: str


class _Model(_Entry):
    preprocess: dict[str, Any]
    postprocess: NotRequired[dict[str, Any]]
    onnx: _Entry | None


class _Recognizer(TypedDict):
    name: str
    model: _Model
    charset: _Entry


def _both(models: dict[str, Any]) -> dict[str, Any]:
    if not {"det", "rec"} <= models.keys():
        raise ValueError("a bundle has a detector and a recogniser")
    return models


def _detector(models: dict[str, Any]) -> dict[str, Any]:
    if "det" not in models:
        raise ValueError("a bundle has a detector")
    return models


def _named(entries: list[Any]) -> list[Any]:
    try:
        require_names(entry["name"] for entry in entries)
    except PpedgeError as error:
        raise ValueError(error.message) from error
    return entries


class OfOne(TypedDict):
    """Of a bundle with one recogniser."""

    models: Annotated[dict[Literal["det", "rec", "cls"], _Model], AfterValidator(_both)]
    charset: _Entry
    pipeline: dict[str, Any]


class OfSeveral(TypedDict):
    """Of a bundle with several."""

    models: Annotated[dict[Literal["det", "cls"], _Model], AfterValidator(_detector)]
    recognizers: Annotated[list[_Recognizer], AfterValidator(_named)]
    pipeline: dict[str, Any]


FORMS: Mapping[int, Any] = {ONE: OfOne, SEVERAL: OfSeveral}
"""By schema."""
