"""ARM instructions of a network in memory, counted or predicted, for the commands that slim one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from ppedge.errors import PpedgeError
from ppedge.recipe import Recipe

if TYPE_CHECKING:
    from ppedge.cost.operators import Operation
    from ppedge.models.zoo import Network


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
        from ppedge.cost.operators import CORES
        from ppedge.engines import open_engine
        from ppedge.validate.cost import count_size, measure

        with _converted(net, recipe) as path:

            def on(cpu: str) -> int:
                cost = measure(lambda: open_engine("arm-paddlelite", path, cpu=cpu, count=True), count_size(recipe))
                return cost.instructions["total"]

            return {cpu: on(cpu) for cpu in CORES}

    return count


def arm_pricer(recipe: Recipe) -> Callable[[Network], dict[str, dict[str, float]]]:
    """Return what predicts a float network's instructions by core (``a53``, ``a76``) and layer, with no runtime.

    Args:
        recipe: Of the network.
    """

    def price(net: Network) -> dict[str, dict[str, float]]:
        from ppedge.cost.operators import CORES
        from ppedge.cost.predicted import predict

        found = _operations(net, recipe)
        prices: dict[str, dict[str, float]] = {}
        for core in CORES:
            layers = prices.setdefault(core.removeprefix("cortex-"), {})
            for name, op in found:
                layers[name] = layers.get(name, 0.0) + predict(op, core)
        return prices

    return price


def arm_gains(recipe: Recipe) -> Callable[[Network], dict[str, dict[str, float]]]:
    """Return what predicts, by layer and core (``a53``, ``a76``), the instructions that a layer alone saves in int8.

    Left out are layers for which the cost table has no kernel, those that eval mode does not use, and those that the
    converter joins with a neighbour in float: in int8 they would be two operators.

    Args:
        recipe: Of the network.
    """

    def gains(net: Network) -> dict[str, dict[str, float]]:
        from ppedge.cost.operators import CONVOLUTIONS, CORES
        from ppedge.cost.predicted import int8_gain

        sizes = {name.removesuffix(".weight"): prod(tensor.shape) for name, tensor in net.state_dict().items()}
        found = {}
        for name, op in _operations(net, recipe):
            if op.type in (*CONVOLUTIONS, "fc") and op.weight and _weights(op) == sizes[name]:
                with suppress(PpedgeError):
                    found[name] = {core.removeprefix("cortex-"): int8_gain(op, core) for core in CORES}
        return found

    return gains


def _weights(op: Operation) -> int:
    """Return how many weights a convolution or matrix product has, its bias left out."""
    if op.type == "fc":
        return op.inputs[0][-1] * op.output[-1]
    return op.inputs[0][1] // op.groups * op.output[1] * prod(op.kernel)


def _operations(net: Network, recipe: Recipe) -> list[tuple[str, Operation]]:
    """Return the operators of a network's fp32 ``.nb`` file with the names of the layers that they come from."""
    from ppedge.convert.nb import read_nb
    from ppedge.cost.measured import named
    from ppedge.cost.names import layer_names
    from ppedge.cost.operators import UNCOUNTED, operations
    from ppedge.validate.cost import count_size

    with _converted(net, recipe) as path:
        nb = read_nb(path)
    found = operations(nb, (1, 3, *count_size(recipe)))
    names = named([op for op in nb.operators if op.type not in UNCOUNTED], layer_names(net))
    return list(zip(names, found, strict=True))


@contextmanager
def _converted(net: Network, recipe: Recipe) -> Iterator[Path]:
    """Yield a network's fp32 ``.nb`` file for a while."""
    from ppedge.convert.export import export_float
    from ppedge.convert.lite import to_nb

    with tempfile.TemporaryDirectory(prefix="ppedge-count-") as folder:
        path = Path(folder) / "net.nb"
        export_float(net, path.with_suffix(""), recipe.task, recipe.line_height)
        to_nb(path.with_suffix(""), path, "fp32")
        yield path
