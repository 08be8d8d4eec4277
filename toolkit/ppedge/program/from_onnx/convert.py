"""From an ONNX file to an inference program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.program.from_onnx.arithmetic import ARITHMETIC, Translate
from ppedge.program.from_onnx.forms import FORMS
from ppedge.program.from_onnx.layers import LAYERS
from ppedge.program.from_onnx.patterns import join
from ppedge.program.from_onnx.reader import read_model
from ppedge.program.from_onnx.writer import UnknownError, Writer
from ppedge.program.program import Program

OPERATORS: Mapping[str, Translate] = {**ARITHMETIC, **FORMS, **LAYERS}
"""All operators that are translated, by ONNX's names."""


@dataclass(frozen=True)
class Translated:
    """What became of an ONNX file.

    Attributes:
        program: The network.
        metadata: What the file says of itself.
        notes: What the file leaves open and was decided here, for people.
    """

    program: Program
    metadata: dict[str, str]
    notes: list[str]


def translate(path: Path) -> Translated:
    """Return the network of an ONNX file as an inference program; free sides stay free.

    Raises:
        PpedgeError: The file is damaged, or holds something that is not translated: the sentence names the node.
    """
    model = read_model(path)
    join(model)
    writer = Writer(model)
    for node in model.nodes:
        try:
            if node.type not in OPERATORS:
                raise UnknownError("which is not one of those that networks for text have")
            OPERATORS[node.type](writer, node)
        except UnknownError as error:
            raise PpedgeError(f"{path}: cannot be brought in for {node}, {error}.") from error
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise PpedgeError(
                f"{path}: cannot be brought in for {node}, in a form that is not known ({error!r})."
            ) from error
    program = writer.finish()
    if not program.weights:
        raise PpedgeError(f"{path}: has no weights.", "Name the ONNX file of a trained network.")
    return Translated(program, model.metadata, model.notes)
