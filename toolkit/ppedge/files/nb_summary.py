"""What a ``.nb`` file is made of, in numbers, and whether one that is called int8 is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from ppedge.errors import PpedgeError
from ppedge.files.nb import NbFile, Operator

CONVOLUTIONS = ("conv2d", "depthwise_conv2d", "conv2d_transpose")


def float_convolutions(nb: NbFile) -> list[Operator]:
    """The convolutions that do not compute in int8, or do so from weights that are not int8."""
    dtypes = {parameter.name: parameter.dtype for parameter in nb.parameters}

    def really_int8(operator: Operator) -> bool:
        return operator.int8 and all(dtypes.get(name) == "int8" for name in operator.inputs.get("Filter", ["?"]))

    return [op for op in nb.operators if op.type in CONVOLUTIONS and not really_int8(op)]


def require_int8(nb: NbFile, allowed: Collection[str] = ()) -> None:
    """Check that a file that is called int8 computes its convolutions in int8.

    Args:
        nb: The file.
        allowed: What may stay float: types of operators (``conv2d_transpose``) or names of weights (``conv2d_0.w_0``),
            as a recipe that keeps layers in float implies.

    Raises:
        PpedgeError: A convolution is float and not allowed to be, or none is int8.
    """
    wrong = [op for op in float_convolutions(nb) if op.type not in allowed and _weight(op) not in allowed]
    convolutions = [op for op in nb.operators if op.type in CONVOLUTIONS]
    if wrong:
        named = ", ".join(f"{op.type} {_weight(op)} ({op.precision})" for op in wrong[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise PpedgeError(
            f"{nb.path}: not really int8: {len(wrong)} of {len(convolutions)} convolutions are float: {named}{more}.",
            "Convert a network that was trained with quantization, or leave int8 out of convert.precisions.",
        )
    if not any(op.int8 for op in convolutions):
        raise PpedgeError(f"{nb.path}: not int8: none of its {len(convolutions)} convolutions is.")


def _weight(operator: Operator) -> str:
    return ", ".join(operator.inputs.get("Filter", ["?"]))


def summary(nb: NbFile) -> dict[str, Any]:
    """What matters of a file, as plain JSON values; operators are counted by type and kernel, parameters by type."""
    kernels: dict[str, Counter[str]] = {}
    for op in nb.operators:
        kernels.setdefault(op.type, Counter())[str(op.kernel or "none")] += 1
    floats = float_convolutions(nb)
    convolutions = Counter("float in int8" if op.int8 and op in floats else op.precision
                           for op in nb.operators if op.type in CONVOLUTIONS)  # fmt: skip
    types: dict[str, dict[str, int]] = {}
    for parameter in nb.parameters:
        entry = types.setdefault(parameter.dtype, {"count": 0, "bytes": 0})
        entry["count"] += 1
        entry["bytes"] += parameter.bytes
    return {
        "file": str(nb.path),
        "bytes": nb.size,
        "meta_version": nb.meta_version,
        "opt_version": nb.opt_version,
        "operators": {
            "count": len(nb.operators),
            "by_type": {kind: dict(sorted(kernels[kind].items())) for kind in sorted(kernels)},
        },
        "convolutions": dict(sorted(convolutions.items())),
        "calib": sum(op.type == "calib" for op in nb.operators),
        "parameters": {
            "count": len(nb.parameters),
            "bytes": sum(parameter.bytes for parameter in nb.parameters),
            "by_type": {name: types[name] for name in sorted(types)},
        },
    }


def difference(old: NbFile, new: NbFile) -> dict[str, Any]:
    """What ``new`` has otherwise than ``old``, as plain JSON values; keys without a difference are left out."""
    a, b = _flat(summary(old)), _flat(summary(new))
    changed = {key: [a.get(key, 0), b.get(key, 0)] for key in sorted({*a, *b}) if a.get(key, 0) != b.get(key, 0)}
    return {key: pair for key, pair in changed.items() if key != "file"}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(_flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item})
    return flat
