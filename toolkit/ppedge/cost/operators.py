"""The operators of a ``.nb`` file with their shapes at a given input size, as the cost of each depends on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ppedge.cost.shapes import HINT, RULES, Shape, Shapes, UnknownShapeError, aligned, is_binary
from ppedge.errors import PpedgeError, cut
from ppedge.files.naming import weight_of
from ppedge.files.nb import NbFile, Operator

CORES = ("cortex-a53", "cortex-a76")
CONVOLUTIONS = ("conv2d", "depthwise_conv2d", "conv2d_transpose")
UNCOUNTED = ("feed", "fetch")  # the runtime's loop passes over them


@dataclass(frozen=True)
class Operation:
    """One operator with everything that its cost depends on.

    Attributes:
        type: As a ``.nb`` calls it: ``conv2d``, ``depthwise_conv2d``, ``elementwise_add``, ``calib``, ...
        inputs: Shapes of what it reads, weights left out; (N, C, H, W) for pictures. Of two operands,
            one with fewer axes than the other has axes of 1 where it is repeated.
        output: Shape of what it writes.
        precision: In which it computes: ``fp32``, ``int8`` or ``any``.
        variant: Of the kernel: ``def``; ``int8_out`` and ``fp32_out`` for what an int8 kernel gives; of a pooling
            ``max`` or ``avg``.
        kernel: Height and width of a convolution's or pooling's window, in pixels.
        strides: Of the window, down and across.
        dilations: Of a convolution's window, down and across.
        groups: Of a convolution.
        activation: That is fused into it: ``relu``, ``hard_swish``, ...; empty for none.
        bias: Whether a bias is fused into it.
        hidden: An LSTM's width; 0 for others.
        layers: An LSTM's passes over the sequence: layers times directions; 0 for others.
        weight: Its weight's name in the file; empty for none. The cost does not depend on it.
    """

    type: str
    inputs: tuple[Shape, ...]
    output: Shape
    precision: str = "fp32"
    variant: str = "def"
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    groups: int = 1
    activation: str = ""
    bias: bool = False
    hidden: int = 0
    layers: int = 0
    weight: str = ""
    dilations: tuple[int, int] = (1, 1)


_MOST_STEPS = 1 << 22
"""Places that a window meets along one side, more than any picture has that is priced here."""


def operations(nb: NbFile, *inputs: Shape) -> list[Operation]:
    """Return a file's operators in their order, shapes and all; ``feed`` and ``fetch`` are left out.

    Args:
        nb: The file.
        inputs: Shape of each of the network's inputs at an inference, mostly one (N, C, H, W).

    Raises:
        PpedgeError: An operator is of a type whose shapes are not known here, its attributes do not fit its inputs, or
            the inputs are not as many as fed.
    """
    found = []
    for op in operations_as_far_as_known(nb, *inputs):
        if isinstance(op, UnknownShapeError):
            raise op
        found.append(op)
    return found


def operations_as_far_as_known(nb: NbFile, *inputs: Shape) -> list[Operation | UnknownShapeError]:
    """Return what `operations` does, with the error that says why in the place of each operator that is not known.

    Such are those of a type whose shapes are not known here, and all that read what one of them gives.

    Raises:
        PpedgeError: An operator's attributes do not fit its inputs, or the inputs are not as many as fed.
    """
    fed = sum(op.type == "feed" for op in nb.operators)
    if fed != len(inputs):
        raise PpedgeError(f"{nb.path}: the network has {fed} inputs, {len(inputs)} shapes were given.")
    shapes = Shapes(nb, inputs)
    found: list[Operation | UnknownShapeError] = []
    for op in nb.operators:
        try:
            operation, output = _understood(op, shapes)
        except UnknownShapeError as error:
            if op.type not in UNCOUNTED:
                found.append(error)
            for name in (name for names in op.outputs.values() for name in names):
                shapes.known.pop(name, None)  # opt may have used it before, for another variable
            continue
        if op.type not in UNCOUNTED:
            found.append(operation)
        shapes.known.update(dict.fromkeys(_of_that_shape(op), output))
    return found


def _of_that_shape(op: Operator) -> list[str]:
    """Return the outputs that have the shape of the first: all of a split into equal parts, else one a slot."""
    equal = op.type == "split" and len(set(op.attributes.get("sections") or ())) < 2
    return [name for names in op.outputs.values() for name in (names if equal else names[:1])]


def _understood(op: Operator, shapes: Shapes) -> tuple[Operation, Shape]:
    if op.type not in RULES:
        raise UnknownShapeError(f"{shapes.path}: what {op.type} does to shapes is not known here.", HINT)
    with fitting(shapes.path, op.type):
        output = RULES[op.type](op, shapes)
        operation = _operation(op, shapes, output)
        if op.type not in UNCOUNTED:
            _check_sizes(operation)
    return operation, output


@contextmanager
def fitting(path: Path, kind: str) -> Iterator[None]:
    """Hold what is worked out of one operator of a file: attributes may be missing, or fit no input.

    Raises:
        PpedgeError: They do; it names the file and the operator.
    """
    try:
        yield
    except PpedgeError as error:
        message = error.message if error.message.startswith(str(path)) else f"{path}: {error.message}"
        raise type(error)(message, error.hint) from error
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise PpedgeError(
            f"{path}: the attributes of an operator {cut(kind)} do not fit what it reads ({cut(cause)}).",
            "Convert the model again.",
        ) from error


def _check_sizes(op: Operation) -> None:
    """Refuse sizes that no network has: pricing would take as long as they are large."""
    sizes = (*op.output, *op.kernel, *op.strides, op.groups)
    if min(sizes) < 1 or any(
        side * window > _MOST_STEPS for side, window in zip(op.output[2:], op.kernel, strict=False)
    ):
        raise ValueError(f"output {list(op.output)}, window {list(op.kernel)}, strides {list(op.strides)}")


def _operation(op: Operator, shapes: Shapes, output: Shape) -> Operation:
    read = [name for slot in ("Input", "X", "Y") for name in op.inputs.get(slot, [])]
    attributes, filters = op.attributes, op.inputs.get("Filter", [])
    window = shapes.weights[filters[0]][2:] if filters else attributes.get("ksize", (1, 1))
    if attributes.get("global_pooling"):
        window = shapes.known[read[0]][2:]
    activation = attributes.get("act_type") or "" if attributes.get("with_act", True) else ""
    directions = 2 if attributes.get("is_bidirec") else 1
    given = tuple(shapes.known[name] for name in read if name in shapes.known)
    return Operation(
        type=op.type,
        inputs=aligned(given, int(attributes.get("axis", -1))) if is_binary(op.type) else given,
        output=output,
        precision=op.precision,
        variant=attributes.get("pooling_type") or (op.kernel.alias if op.kernel else "def"),
        kernel=_pair(window),
        strides=_pair(attributes.get("strides", (1, 1))),
        groups=int(attributes.get("groups", 1)),
        activation=str(activation),
        bias=bool(op.inputs.get("Bias")),
        hidden=int(attributes.get("hidden_size", 0)) if op.type == "rnn" else 0,
        layers=int(attributes.get("num_layers", 0)) * directions if op.type == "rnn" else 0,
        weight=weight_of(op),
        dilations=_pair(attributes.get("dilations", (1, 1))) if op.type in CONVOLUTIONS else (1, 1),
    )


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return int(values[0]), int(values[-1])
