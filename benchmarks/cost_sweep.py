"""Counts operators of many shapes on Paddle Lite's runtime: what the cost table that ships with ppedge is fitted to.

One network holds all of them, as branches of one or two layers with an input each, so a handful of runs measures some
hundred shapes: float and int8, on each core. No network of PP-OCR takes part. Needs the registered runtime
(``ppedge arm setup --lite DIR``); takes two to ten minutes. ``cost_fit.py`` makes the table from what this writes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cost_branch import Branch
from cost_branches import PARTS, branches
from cost_store import compact, write_rows

from ppedge.cost.measured import measure_operators
from ppedge.cost.operators import CORES, operations
from ppedge.files.nb import read_nb
from ppedge.storage import read_json

POINTS = Path(__file__).with_name("cost_points.json")


def build(found: list[Branch]) -> Any:
    """Return a network of the branches; it takes a list of arrays and gives a list."""
    import paddle
    from cost_layers import layer_of
    from paddle import nn

    class Sweep(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.LayerList()
            for branch in found:
                row, shape = nn.LayerList(), list(branch.shape)
                for kind, *arguments in branch.layers:
                    row.append(layer_of(kind, arguments, shape[1] if len(shape) == 4 else shape[-1]))
                    if kind in ("conv", "up"):
                        shape[1] = arguments[0]
                    elif kind == "lines":
                        shape[1] *= 2
                self.rows.append(row)

        def forward(self, inputs: list[Any]) -> list[Any]:
            outputs = []
            for x, row in zip(inputs, self.rows):  # noqa: B905 - Paddle traces no keyword
                for layer in row:
                    x = layer(x)
                outputs.append(x)
            return outputs

    paddle.seed(0)
    return Sweep()


def export(precision: str, part: str, prefix: Path) -> None:
    """Export the network, for int8 quantized as the slim stage does it."""
    import paddle
    from paddle.static import InputSpec

    from ppedge.slim.int8.pact import calibrate, quantize

    found = branches(precision, part)
    spec = [[InputSpec(list(branch.shape), "float32", name=f"x{k}") for k, branch in enumerate(found)]]
    net = build(found)
    if precision == "fp32":
        net.eval()
        paddle.jit.save(net, str(prefix), input_spec=spec)
        _complete(prefix.with_name(f"{prefix.name}.pdmodel"))
        if part == "sequences":
            _rewrite(prefix)
        return
    from paddle.quantization import ImperativeQuantAware

    quantize(net)
    calibrate(net, [[paddle.randn(branch.shape) for branch in found]])
    fresh = build(found)
    quantize(fresh)
    fresh.set_state_dict(net.state_dict())
    fresh.eval()
    ImperativeQuantAware(onnx_format=False).save_quantized_model(fresh, str(prefix), input_spec=spec)


def _complete(model: Path) -> None:
    """Write into a file what opt asks of ``swish`` and Paddle no longer exports: its factor, which is 1."""
    from paddle.base import core

    program = core.ProgramDesc(model.read_bytes())
    block = program.block(0)
    for index in range(block.op_size()):
        if block.op(index).type() == "swish":
            block.op(index)._set_attr("beta", 1.0)
    model.write_bytes(program.serialize_to_string())


def _rewrite(prefix: Path) -> None:
    """Compute LSTMs as ``convert`` has it."""
    from ppedge.files.inference_model import InferenceModel
    from ppedge.program.passes import rewrite
    from ppedge.program.program import Program

    files = InferenceModel.at(prefix)
    program = Program.read(files)
    rewrite(program, ["lstm"])
    program.write(files)


def measure(precision: str, part: str, cpus: list[str]) -> tuple[str, list[list[Any]]]:
    """Return the runtime's version and the points: an operation, a core, instructions."""
    from ppedge.convert.lite import to_nb

    found, points, runtime = branches(precision, part), [], ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sweep.{precision}.nb"
        command = [
            sys.executable,
            __file__,
            "--export",
            str(path.with_suffix("")),
            "--precision",
            precision,
            "--part",
            part,
        ]
        subprocess.run(command, check=True)  # a quantized export leaves Paddle unfit for anything else
        to_nb(path.with_suffix(""), path, "int8" if precision == "int8" else "fp32")
        shapes = [branch.shape for branch in found]
        listed = operations(read_nb(path), *shapes)
        for cpu in cpus:
            measured = measure_operators(path, cpu, *shapes)
            runtime = measured.runtime
            rows = zip(listed, measured.instructions, strict=True)
            points += [[compact(op), cpu, counts["total"]] for op, counts in rows]
    return runtime, points


def main() -> None:
    """Measure one precision, or both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--precision", action="append", choices=("fp32", "int8"), help="default: both")
    parser.add_argument("--cpu", action="append", choices=CORES, help="default: all")
    parser.add_argument("--part", choices=PARTS, default="small", help="a run for each is needed")
    parser.add_argument("--out", type=Path, default=POINTS)
    parser.add_argument("--export", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.export:
        export(options.precision[0], options.part, options.export)
        return
    cpus = options.cpu or list(CORES)
    data = read_json(options.out) if options.out.is_file() else {"runtime": "", "points": {}}
    for precision in options.precision or ("fp32", "int8"):
        runtime, points = measure(precision, options.part, cpus)
        if data["runtime"] not in ("", runtime):
            sys.exit(f"{options.out}: holds counts of {data['runtime']}, not of {runtime}; remove it first.")
        data["runtime"] = runtime
        for cpu in cpus:
            data["points"][f"{precision}.{options.part}.{cpu}"] = [
                [op, count] for op, core, count in points if core == cpu
            ]
        write_rows(options.out, data)


if __name__ == "__main__":
    main()
