"""From a network in memory to an inference model (``.pdmodel`` and ``.pdiparams``) that Paddle Lite and ONNX take.

`main` runs in a process of its own (by hand ``python -m ppedge.convert.export RUN --network STAGE KIND PREFIX``):
exporting puts Paddle into its static mode for a while, and Paddle may abort. Paddle numbers variables as they come;
each network begins again at 0, so that equal networks give equal files.

A detector is exported with free batch, height and width: opt makes the same operators of it as with batch 1. A
recogniser is exported with batch 1, fixed height and free width: Paddle Lite aborts when it runs an LSTM whose zero
initial states have a shape that is computed from a free batch. For ONNX it is exported once more, with a free batch. A
classifier is exported with free batch and width and fixed height; it is only ever given lines of one width.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import paddle
from paddle.jit.dy2static.convert_call_func import CONVERSION_OPTIONS, ConversionOptions
from paddle.quantization import ImperativeQuantAware
from paddle.static import InputSpec
from paddle.utils import unique_name

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.models.naming import layer_names
from ppedge.recipe.sizes import case_shapes, exported_shape, line_height
from ppedge.runs import Run
from ppedge.storage import atomic_write, write_json

Task = Literal["det", "rec", "cls"]
Case = tuple[np.ndarray, np.ndarray]
KINDS = ("float", "batched", "quantized", "unquantized")


def input_spec(task: Task, height: int = 32, *, free_batch: bool = False) -> InputSpec:
    """The input of an exported network: ``x``, float32, NCHW.

    Args:
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
        free_batch: Leave a recogniser's batch free too.
    """
    return InputSpec(list(exported_shape(task, height, free_batch=free_batch)), "float32", name="x")


def export_float(
    net: paddle.nn.Layer, prefix: Path, task: Task, height: int = 32, *, free_batch: bool = False
) -> InferenceModel:
    """Export a float network; layers that its eval mode does not use (DB's threshold head) are not in the files.

    Args:
        net: The network; it is in eval mode afterwards.
        prefix: Of the two files.
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
        free_batch: Leave a recogniser's batch free too, which ONNX wants and Paddle Lite does not bear.

    Raises:
        PpedgeError: Paddle cannot trace the network.
    """
    net.eval()
    _trace_plainly(net)
    with _writing(prefix) as working:
        paddle.jit.save(net, str(working), input_spec=[input_spec(task, height, free_batch=free_batch)])
    return InferenceModel.at(prefix)


def export_quantized(net: paddle.nn.Layer, prefix: Path, task: Task, height: int = 32) -> InferenceModel:
    """Export a network that `ppedge.slim.int8.pact.quantize` has quantized, with its scales, as Paddle Lite wants it.

    Args:
        net: The network, freshly built and quantized without PACT, with the trained weights and scales. One that went
            through training itself cannot be exported if it has an LSTM.
        prefix: Of the two files.
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.

    Raises:
        PpedgeError: Paddle cannot trace the network.
    """
    net.eval()
    _trace_plainly(net)
    logging.getLogger("paddle.static.io").setLevel(logging.ERROR)  # warns of the way in which Paddle calls itself
    with _writing(prefix) as working:
        # onnx_format=False keeps fake_quantize_dequantize operators: the same outputs as in training, and opt's input.
        ImperativeQuantAware(onnx_format=False).save_quantized_model(
            net, str(working), input_spec=[input_spec(task, height)]
        )
    paddle.disable_static()
    return InferenceModel.at(prefix)


def _trace_plainly(net: paddle.nn.Layer) -> None:
    """Let Paddle trace the parts of a network as they are written.

    It would rewrite the source of every layer's ``forward`` first, for control flow that depends on a tensor's values,
    which no network here has. Without that an export takes a third of the time, and gives the same program.
    """
    for part in net.children():
        setattr(part, CONVERSION_OPTIONS, ConversionOptions(not_convert=True))


@contextlib.contextmanager
def _writing(prefix: Path) -> Iterator[Path]:
    """Yield a prefix in a temporary folder; put both files in place when the export has ended well."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=prefix.parent) as folder:
        working = Path(folder).resolve() / "model"
        try:
            yield working
        except (ValueError, TypeError, RuntimeError, NotImplementedError, AssertionError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise PpedgeError(f"{prefix}: the network cannot be exported ({reason}).") from error
        written, target = InferenceModel.at(working), InferenceModel.at(prefix)
        written.check()
        _strip(written.model)
        written.params.replace(target.params)
        written.model.replace(target.model)


def _strip(model: Path) -> None:
    """Take out of a program where on this machine its source lies, which Paddle writes beside every operator."""
    program = paddle.base.core.ProgramDesc(model.read_bytes())  # paddle.static.Program can be read in static mode alone
    for block in map(program.block, range(program.num_blocks())):
        for op in map(block.op, range(block.op_size())):
            op.remove_attr("op_callstack")
    model.write_bytes(program.serialize_to_string())


def reference_cases(net: paddle.nn.Layer, task: Task, height: int = 32, seed: int = 0) -> list[Case]:
    """Inputs of different free sizes and what the network makes of them, to hold a converted file against.

    Args:
        net: The network; it is in eval mode afterwards.
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
        seed: Of the inputs, which are standard normal.
    """
    net.eval()
    with paddle.no_grad():
        return [(x, net(paddle.to_tensor(x)).numpy()) for x in case_inputs(task, height, seed)]


def case_inputs(task: Task, height: int = 32, seed: int = 0) -> list[np.ndarray]:
    """Inputs (N, 3, H, W), float32, of different free sizes: standard normal, the same for the same seed."""
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape, dtype=np.float32) for shape in case_shapes(task, height)]


def inputs_for(files: InferenceModel, task: Task, height: int) -> list[np.ndarray]:
    """Return `case_inputs` as an inference model takes them: one picture at a time where its batch is 1."""
    one_only = files.signature().inputs[0][0] == 1
    return [x[:1] if one_only else x for x in case_inputs(task, height)]


def save_cases(path: Path, cases: list[Case]) -> None:
    """Write reference cases, atomically."""
    arrays = {f"{kind}{k}": array for k, case in enumerate(cases) for kind, array in zip("xy", case, strict=True)}
    with atomic_write(path) as file:
        np.savez(file, **arrays)


def main(arguments: Sequence[str] | None = None) -> None:
    """Export a run's networks: a child process of the convert stage.

    Kinds: ``float``; ``quantized``; and for ONNX, with a free batch, ``batched``, the float network, and
    ``unquantized``, the float network that carries the quantized one's weights. Beside the model it writes, for the
    first two, reference cases as ``PREFIX.npz``, and as ``PREFIX.json`` the layers' names by those of their weights and
    the names of the weights that the recipe keeps in float; for ``unquantized`` the `quantizers`.
    """
    parser = argparse.ArgumentParser(prog="python -m ppedge.convert.export")
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--network", nargs=3, action="append", required=True, metavar=("STAGE", "KIND", "PREFIX"), dest="networks"
    )
    options = parser.parse_args(arguments)
    for stage, kind, _ in options.networks:
        if stage not in ("train", "slim") or kind not in KINDS:
            parser.error(f"argument --network: no {kind} network of {stage}")
    try:
        for stage, kind, prefix in options.networks:
            # If Paddle aborts without a word, this line is the last.
            print(f"the {kind} network of {stage}", flush=True)
            with unique_name.guard():
                _export_run(Run(options.run), stage, kind, Path(prefix))
    except PpedgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _export_run(run: Run, stage: str, kind: str, prefix: Path) -> None:
    from ppedge.data.kept import kept_recipe
    from ppedge.slim.network import load_float, load_quantized, load_unquantized
    from ppedge.train.task import Task as Training

    recipe = kept_recipe(run)
    training = Training.of_run(recipe, run)
    height, about = line_height(recipe), prefix.with_name(f"{prefix.name}.json")
    if kind == "unquantized":
        net, scales = load_unquantized(run, training)
        write_json(about, {"quantizers": quantizers(net, scales, recipe.task, height)})
        export_float(net, prefix, recipe.task, height, free_batch=True)
        return
    net = load_quantized(run, training) if kind == "quantized" else load_float(run, training, stage)
    if kind == "batched":
        export_float(net, prefix, recipe.task, height, free_batch=True)
        return
    save_cases(prefix.with_name(f"{prefix.name}.npz"), reference_cases(net, recipe.task, height))
    kept_float = float_weights(net) if kind == "quantized" else []
    write_json(about, {"float_weights": kept_float, "layers": layer_names(net)})
    if kind == "quantized":
        export_quantized(net, prefix, recipe.task, height)
    else:
        export_float(net, prefix, recipe.task, height)


def float_weights(net: paddle.nn.Layer) -> list[str]:
    """The weights, by the names a ``.nb`` has for them, of convolutions that a quantized network keeps in float."""
    kinds = (paddle.nn.Conv2D, paddle.nn.Conv2DTranspose)
    return [layer.weight.name for layer in net.sublayers() if isinstance(layer, kinds)]


def quantizers(net: paddle.nn.Layer, scales: Mapping[str, float], task: Task, height: int = 32) -> list[dict[str, Any]]:
    """Say how the layers that an exported network has are quantized, as `ppedge.convert.qdq.Quantizer` wants it.

    Args:
        net: The float network; it is in eval mode afterwards. Layers that its eval mode does not use are left out.
        scales: Of the quantized layers' inputs, by layer.
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
    """
    used: set[str] = set()
    layers = {name: layer for name, layer in net.named_sublayers() if name in scales}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, inputs, name=name: used.add(name))
        for name, layer in layers.items()
    ]
    net.eval()
    with paddle.no_grad():
        net(paddle.zeros(list(case_shapes(task, height)[0])))
    for hook in hooks:
        hook.remove()
    return [
        {"layer": name, "weight": layer.weight.name, "input_scale": scales[name]}
        for name, layer in layers.items()
        if name in used
    ]


if __name__ == "__main__":
    main()
