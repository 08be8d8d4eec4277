"""Milliseconds on a named phone's core, estimated from counted instructions: a fitted model with its error.

    ms = (instructions * cycles_per_instruction + bytes * cycles_per_byte) / (GHz * 1e6)

where ``bytes`` is the size of the ``.nb`` file, nearly all weights, which an inference reads once. The two costs are
fitted for each kind of core to published benchmark rows of Paddle Lite (one thread, the big core) and counts of the
same networks on the emulator; ``latency.json`` holds rows, counts, sources, costs and errors,
``benchmarks/latency_fit.py`` makes the last two from the first three. Richer forms, with a cost for each class of
instructions, did worse on rows left out of the fit, or hardly better for more costs (docs/latency.md).
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ppedge.storage import read_json

DATA = Path(__file__).with_name("latency.json")
EMULATED = ("cortex-a53", "cortex-a72", "cortex-a76")
"""The emulated cores on which Paddle Lite chooses the kernels that it chooses on a phone: of its own for the A53, with
the dot product for the A76 and later, and one set for what lies between."""


@dataclass(frozen=True)
class Estimate:
    """What an inference may take on a phone, one thread on its fastest core.

    Attributes:
        soc: The phone's system on a chip.
        core: Its core.
        milliseconds: The estimate; the truth lies within a factor of `band`, as far as published rows can tell.
    """

    soc: str
    core: str
    milliseconds: float


def estimates(cpu: str, instructions: int, file_bytes: int) -> list[Estimate]:
    """Estimate an inference's time on the phones whose kernels an emulated core runs.

    Args:
        cpu: The emulated core that the instructions were counted on, with Paddle Lite's runtime.
        instructions: Of one warm inference, one thread.
        file_bytes: Size of the ``.nb`` file.

    Returns:
        One estimate a phone; none for a core that stands for no phone in the data.
    """
    data = _data()
    found = []
    for soc, about in data["socs"].items():
        costs = data["costs"][about["costs"]]
        if costs["emulated"] == cpu:
            found.append(Estimate(soc, about["core"], milliseconds(costs, about["ghz"], instructions, file_bytes)))
    return found


def milliseconds(costs: dict[str, Any], ghz: float, instructions: int, file_bytes: int) -> float:
    """Apply the model: costs ``cycles_per_instruction`` and ``cycles_per_byte`` at a clock rate in GHz."""
    cycles = instructions * costs["cycles_per_instruction"] + file_bytes * costs["cycles_per_byte"]
    return float(cycles / (ghz * 1e6))


def band() -> float:
    """The factor by which an estimate may be wrong either way: the worst of all rows left out of a fit, rounded up."""
    return float(_data()["band"])


def report(engine: str, cpu: str, instructions: int, file_bytes: int) -> dict[str, Any] | None:
    """Return the estimates as a validation report holds them, or None where there are none.

    Args:
        engine: What ran the model; the costs are those of Paddle Lite's kernels, so for others there is no estimate.
        cpu: The emulated core.
        instructions: Of one warm inference, one thread.
        file_bytes: Size of the model's file.

    Returns:
        ``band``, a factor either way, and ``phones``: each with ``soc``, ``core`` and ``milliseconds``.
    """
    found = estimates(cpu, instructions, file_bytes) if engine == "paddlelite" else []
    return {"band": band(), "phones": [asdict(estimate) for estimate in found]} if found else None


def told(estimated: dict[str, Any]) -> str:
    """Return a report's estimates as a line for a person, the band beside them."""
    phones = ", ".join(f"{p['soc']} ({p['core']}) {two_digits(p['milliseconds'])} ms" for p in estimated["phones"])
    return f"estimated, one thread, x{estimated['band']} either way: {phones}"


def two_digits(milliseconds: float) -> str:
    """Return an estimate as it is told: a third digit would pretend to know more than the band allows."""
    return f"{float(format(milliseconds, '.2g')):g}"  # the outer format writes 1200, not 1.2e+03


@functools.cache
def _data() -> dict[str, Any]:
    return dict(read_json(DATA))
