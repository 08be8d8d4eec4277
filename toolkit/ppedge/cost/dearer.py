"""Where 8 bits cost more than float."""

from __future__ import annotations

from collections.abc import Mapping

_KERNELS = {
    "paddlelite": ("Paddle Lite's", "`ppedge slim --quant arm` leaves in float what does not gain by 8 bits"),
    "onnxruntime": (
        "onnxruntime's",
        "those of Paddle Lite, which a phone runs, differ: `ppedge cost RUN` predicts what they take",
    ),
}


def dearer_in_8_bits(totals: Mapping[tuple[str, str], float], engine: str = "paddlelite") -> list[str]:
    """Return a sentence for each core on which a network in 8 bits takes more instructions than in float.

    Args:
        totals: Instructions of one inference, by core and precision (``fp32``, ``int8``); others are not looked at.
        engine: Whose kernels these are: ``paddlelite`` or ``onnxruntime``.
    """
    whose, more = _KERNELS[engine]
    return [
        f"In 8 bits the network takes {total / totals[cpu, 'fp32']:.2f} times the instructions of float on {cpu}, by "
        f"{whose} kernels; {more}."
        for (cpu, precision), total in totals.items()
        if precision == "int8" and total > totals.get((cpu, "fp32"), total)
    ]
