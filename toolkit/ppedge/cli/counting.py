"""ARM instructions of a network in memory, for the commands that slim one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ppedge.errors import PpedgeError
from ppedge.recipe import Recipe

if TYPE_CHECKING:
    from ppedge.models.zoo import Network

CPUS = ("cortex-a53", "cortex-a76")


def arm_counter(recipe: Recipe) -> Callable[[Network], Mapping[str, int]] | None:
    """Return what counts a float network's instructions by core, or None where no Paddle Lite runtime is registered.

    Args:
        recipe: Of the network.
    """
    from ppedge.arm import lite

    try:
        lite.registered()
    except PpedgeError:
        return None

    def count(net: Network) -> dict[str, int]:
        from ppedge.convert.export import export_float
        from ppedge.convert.lite import to_nb
        from ppedge.engines import open_engine
        from ppedge.validate.cost import count_size, measure

        with tempfile.TemporaryDirectory(prefix="ppedge-count-") as folder:
            path = Path(folder) / "net.nb"
            export_float(net, path.with_suffix(""), recipe.task, recipe.line_height)
            to_nb(path.with_suffix(""), path, "fp32")

            def on(cpu: str) -> int:
                cost = measure(lambda: open_engine("arm-paddlelite", path, cpu=cpu, count=True), count_size(recipe))
                return cost.instructions["total"]

            return {cpu: on(cpu) for cpu in CPUS}

    return count
