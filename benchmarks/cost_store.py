"""The files of counts that the cost table is made from and held against: JSON with one operation a line."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ppedge.cost.operators import Operation
from ppedge.storage import atomic_write


def compact(op: Operation) -> dict[str, Any]:
    """Return an operation without what is at its default, and without its weight's name."""
    values = {**asdict(op), "weight": ""}
    return {f.name: values[f.name] for f in fields(op) if values[f.name] != f.default}


def operation(values: dict[str, Any]) -> Operation:
    """Return the operation that `compact` made these values of."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return Operation(**{**given, "inputs": tuple(tuple(shape) for shape in values["inputs"])})


def write_rows(path: Path, data: dict[str, Any]) -> None:
    """Write nested tables; each entry of a table and each row of a list of lists gets a line of its own."""
    with atomic_write(path) as file:
        file.write((_dumped(data) + "\n").encode())


def _dumped(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",\n".join(f"{json.dumps(key)}:{_dumped(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[" + ",\n".join(_line(row) for row in value) + "]"
    return _line(value)


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
