"""Which operators of a ``.nb`` file Paddle Lite's ARM runtime can run.

opt writes a ``.nb`` of whatever operators it knows, and the runtime refuses on the phone what it has no kernel for.
``arm_kernels.json`` is the runtime's own list: what the library of `about` has registered when it is loaded, read out
of its memory under the emulator by ``benchmarks/lite_kernels.py``. That build has no fp16 kernels, others have; of an
operator in fp16 the table can only say whether ARM has it in another precision.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from ppedge.files.nb import Operator

TABLE = Path(__file__).with_name("arm_kernels.json")


def about() -> dict[str, str]:
    """Return the ``runtime`` that the table comes from, and the ``sha256`` of its library."""
    return {key: value for key, value in _table().items() if key != "kernels"}


def registered(operator: Operator) -> bool:
    """Whether the runtime has the kernel that an operator names; of one that names none, any kernel for its type."""
    kernels = _table()["kernels"].get(operator.type, ())
    if operator.kernel is None:
        return bool(kernels)
    kernel = operator.kernel
    if kernel.precision == "fp16":
        return any(place.startswith(f"{kernel.target}/") for place in kernels)
    return f"{kernel.target}/{kernel.precision}/{kernel.layout}" in kernels


@functools.cache
def _table() -> dict[str, Any]:
    return dict(json.loads(TABLE.read_text(encoding="utf-8")))
