"""ARM instructions of a network in memory, counted or predicted, for the commands that slim one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path

import paddle

from ppedge.arm import lite
from ppedge.convert.export import export_float, export_quantized, float_weights
from ppedge.convert.lite import to_nb
from ppedge.convert.rewriting import rewrite_in_place
from ppedge.cost.inference import measure
from ppedge.cost.operators import CONVOLUTIONS, CORES, UNCOUNTED, Operation, operations_as_far_as_known
from ppedge.cost.predicted import estimate, int8_gain
from ppedge.cost.shapes import UnknownShapeError
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.files.naming import named, with_origins
from ppedge.files.nb import NbFile, read_nb
from ppedge.models.naming import layer_names
from ppedge.models.network import Network
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import count_size, line_height
from ppedge.scratch import scratch
from ppedge.slim.arm.prices import SIZE, Prices
from ppedge.slim.int8.pact import QUANTIZED, calibrate, quantize


def arm_counter(recipe: Recipe) -> Callable[..., Mapping[str, int]] | None:
    """Return what counts a network's instructions by core, or None where no Paddle Lite runtime is registered.

    With them come the bytes of its ``.nb`` file, as ``nb``.

    It is given the network, freshly built or about to be thrown away, and the names of the layers that compute in int8.

    Args:
        recipe: Of the network.
    """
    try:
        lite.registered()
    except PpedgeError:
        return None

    def count(net: Network, int8: Collection[str] = ()) -> dict[str, int]:
        with converted(net, recipe, int8) as (path, _):

            def on(cpu: str) -> int:
                cost = measure(lambda: open_engine("arm-paddlelite", path, cpu=cpu, count=True), count_size(recipe))
                return cost.instructions["total"]

            return {cpu: on(cpu) for cpu in CORES} | {SIZE: path.stat().st_size}

    return count


def arm_pricer(recipe: Recipe) -> Callable[[Network], Prices]:
    """Return what predicts a float network's instructions and bytes, and what its layers save in int8, with no runtime.

    Left out of the savings are layers for which the cost table has no kernel, those that eval mode does not use, those
    that the converter joins with a neighbour in float, for in int8 they would be two operators, and transposed
    convolutions that are rewritten as others. An operator that the table does not know costs nothing, and the prices
    have a warning.

    Args:
        recipe: Of the network.
    """

    def price(net: Network) -> Prices:
        with converted(net, recipe) as (path, origins):
            nb, size = read_nb(path), path.stat().st_size
        computing = [op for op in nb.operators if op.type not in UNCOUNTED]
        names = named(computing, with_origins(layer_names(net), origins))
        found = operations_as_far_as_known(nb, (1, 3, *count_size(recipe)))
        cost, warning = _instructions(nb, names, found)
        stored, held = cost.setdefault(SIZE, {}), {parameter.name: parameter.bytes for parameter in nb.parameters}
        for name, op in zip(names, computing, strict=True):
            read = [variable for variables in op.inputs.values() for variable in variables]
            stored[name] = stored.get(name, 0.0) + sum(held.pop(variable, 0) for variable in read)
        stored["the graph"] = size - sum(stored.values())
        weights = {name.removesuffix(".weight"): prod(tensor.shape) for name, tensor in net.state_dict().items()}
        # A layer that is rewritten as another operator would, in int8, be what it is: its gain is not that one's.
        transposed = {name for name, layer in net.named_sublayers() if isinstance(layer, paddle.nn.Conv2DTranspose)}
        known = [
            (name, op)
            for name, op in zip(names, found, strict=True)
            if isinstance(op, Operation) and (name in transposed) == (op.type == "conv2d_transpose")
        ]
        return Prices(cost, _gains(known, weights), warning)

    return price


def _instructions(
    nb: NbFile, names: Sequence[str], found: Sequence[Operation | UnknownShapeError]
) -> tuple[dict[str, dict[str, float]], str]:
    """Return instructions by core and layer, and what of them is not known."""
    cost: dict[str, dict[str, float]] = {}
    warning = ""
    for core in CORES:
        layers = cost.setdefault(core.removeprefix("cortex-"), {})
        estimated = estimate(nb, found, core)
        warning = warning or estimated.warning
        for name, instructions in zip(names, estimated.instructions, strict=True):
            layers[name] = layers.get(name, 0.0) + (instructions or 0.0)
    return cost, warning


def _gains(found: Sequence[tuple[str, Operation]], weights: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Return what layers save in int8; ``weights`` says how many each has."""
    gain = {}
    for name, op in found:
        if op.type in (*CONVOLUTIONS, "fc") and op.weight and _weights(op) == weights.get(name):
            channels = op.output[1] if op.type in CONVOLUTIONS else op.output[-1]
            saved = 3.0 * weights[name] - 4.0 * channels  # a scale each
            with suppress(PpedgeError):
                gain[name] = {core.removeprefix("cortex-"): int8_gain(op, core) for core in CORES} | {SIZE: saved}
    return gain


def _weights(op: Operation) -> int:
    """Return how many weights a convolution or matrix product has, its bias left out."""
    if op.type == "fc":
        return op.inputs[0][-1] * op.output[-1]
    return op.inputs[0][1] // op.groups * op.output[1] * prod(op.kernel)


@contextmanager
def converted(net: Network, recipe: Recipe, int8: Collection[str] = ()) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a network's ``.nb`` file for a while, of fp32 but for the layers named, and the origins of its weights.

    It is made as the convert stage makes it, exact rewrites included, so that what is priced is what ships.

    Args:
        net: The network in eval mode, freshly built or about to be thrown away.
        recipe: Of the network.
        int8: Names of the layers that compute in int8, with scales that mean nothing.
    """
    with scratch("count") as folder:
        path = folder / "net.nb"
        prefix = path.with_suffix("")
        if int8:
            in_float = _export_int8(net, recipe, prefix, int8)
        else:
            in_float = []
            export_float(net, prefix, recipe.task, line_height(recipe))
        origins = rewrite_in_place(prefix, recipe.convert.rewrite)
        to_nb(prefix, path, "int8" if int8 else "fp32", [*in_float, *origins])
        yield path, origins


def _export_int8(net: Network, recipe: Recipe, prefix: Path, int8: Collection[str]) -> list[str]:
    """Export a network with quantizers on some layers, of scales that mean nothing; return the other weights' names."""
    others = [name for name, layer in net.named_sublayers() if isinstance(layer, QUANTIZED) and name not in int8]
    quantize(net, float_names=others)
    calibrate(net, [paddle.ones([1, 3, *count_size(recipe)])])
    names = float_weights(net)
    export_quantized(net, prefix, recipe.task, line_height(recipe))
    return names
