"""What ppedge wrote and reads again, held against its type: it may be damaged, or of another version of ppedge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import NotRequired, TypedDict

from ppedge.errors import PpedgeError, cut, shown

Metrics = dict[str, float]
_LIMIT = 200  # characters of what pydantic says


def checked(kind: Any, value: Any, where: str | Path, what: str, hint: str) -> Any:
    """Return a value as the type that it is to have.

    Args:
        kind: What pydantic takes for a type. A ``TypedDict`` gives a dictionary, a dataclass an instance.
        value: As JSON or YAML holds it.
        where: The file, for the error.
        what: What the file is to be: ``a manifest``.
        hint: What to do if it is none.

    Raises:
        PpedgeError: The value is another.
    """
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = cut(".".join(map(str, first["loc"])))
        told = cut(first["msg"].removeprefix("Value error, "), _LIMIT)
        got = "" if first["type"] == "missing" else f", not {shown(first['input'])}"
        raise PpedgeError(f"{where}: not {what} ({key + ': ' if key else ''}{told}{got}).", hint) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class FileEntry(TypedDict):
    """A file that a stage read or wrote."""

    path: str
    sha256: str
    bytes: Annotated[int, Field(ge=0)]


class Parent(TypedDict):
    """The stage that another rests on."""

    stage: Literal["train", "slim", "convert"]
    sha256: str


class _Manifest(TypedDict):
    schema: NotRequired[Literal[1]]
    versions: NotRequired[dict[str, str]]
    inputs: NotRequired[list[FileEntry]]
    outputs: list[FileEntry]
    parent: Parent | None
    measured_on: NotRequired[Literal["eval", "test"]]
    seconds: NotRequired[float]
    seed: NotRequired[int]


class Pictures(TypedDict):
    """Of a network that was brought in: how many, and a sum over their names and sizes."""

    count: int
    sha256: str


class TrainManifest(_Manifest):
    """Of the train stage."""

    metrics: Metrics
    chosen_by: NotRequired[Metrics]
    source: NotRequired[Pictures]
    intervals: NotRequired[dict[str, tuple[float | None, float | None]]]


class _Quant(TypedDict):
    exclude: list[str]


class _SlimSettings(TypedDict):
    quant: _Quant


class _Drop(TypedDict):
    metric: str
    before: float
    after: float
    value: float
    low: float | None
    high: float | None
    limit: float | None


class SlimManifest(_Manifest):
    """Of the slim stage; its metrics are those of the network after each step, and what is left of its cost."""

    metrics: dict[str, Metrics | float]
    chosen_by: NotRequired[dict[str, Metrics]]
    settings: NotRequired[_SlimSettings]
    prune: NotRequired[str]
    quant: NotRequired[str]
    float_layers: NotRequired[list[str]]
    domain: NotRequired[dict[str, Any] | None]
    drop: NotRequired[_Drop]


class _Converted(TypedDict):
    bytes: NotRequired[Annotated[int, Field(ge=0)]]


class _Rewritten(TypedDict):
    origins: NotRequired[dict[str, str]]


class _ConvertMetrics(TypedDict):
    files: NotRequired[dict[str, _Converted]]
    rewrites: NotRequired[dict[str, _Rewritten]]


class ConvertManifest(_Manifest):
    """Of the convert stage; ``model`` is what `ModelSpec.to_dict` gave, and `ModelSpec.from_dict` checks."""

    metrics: _ConvertMetrics
    model: NotRequired[Any]


class _ValidateMetrics(TypedDict):
    passed: NotRequired[bool]


class ValidateManifest(_Manifest):
    """Of the validate stage."""

    metrics: _ValidateMetrics


MANIFESTS: Mapping[str, Any] = {
    "train": TrainManifest,
    "slim": SlimManifest,
    "convert": ConvertManifest,
    "validate": ValidateManifest,
}
"""By stage. Keys that only some versions of ppedge write need not be there; others than these are let pass."""


class Manifest(dict[str, Any]):
    """A stage's manifest: a dictionary whose missing keys are a sentence.

    Args:
        path: The file.
        stage: Whose it is.
        value: What the file holds.

    Raises:
        PpedgeError: It is no manifest of that stage; later, a key is asked for that it has not.
    """

    def __init__(self, path: Path, stage: str, value: Any) -> None:
        self.path = path
        self.hint = f"Run `ppedge {stage}` with --force."
        checked(MANIFESTS[stage], value, path, "a manifest", self.hint)
        super().__init__(value)

    def __missing__(self, key: str) -> Any:
        raise PpedgeError(f"{self.path}: the key {key} is missing.", self.hint)
