"""What `ppedge cost` tells: the operators of a run's ``.nb`` files with their cost, worst first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppedge.arm import lite
from ppedge.artifacts import Converted, inference_prefix
from ppedge.cost.measured import measure_operators
from ppedge.cost.operators import UNCOUNTED, Operation, fitting, operations
from ppedge.cost.predicted import about, predict
from ppedge.cost.shapes import Shape
from ppedge.errors import MissingError, PpedgeError
from ppedge.files.naming import named, with_origins
from ppedge.files.nb import NbFile, read_nb
from ppedge.process import run_module
from ppedge.runs import Run
from ppedge.scratch import scratch
from ppedge.storage import read_json


def files_of(run: Run, precisions: Sequence[str]) -> list[Path]:
    """Return a run's ``.nb`` files of the given precisions, each checked against the manifest; baselines left out.

    Raises:
        PpedgeError: The convert stage is not done, or has none of them.
    """
    names = [entry["path"] for entry in run.manifest("convert")["outputs"]]
    found = [
        name
        for precision in precisions
        for name in names
        if (file := Converted.parse(name)) and (file.form, file.precision, file.baseline) == ("nb", precision, False)
    ]
    if not found:
        raise PpedgeError(
            f"{run.stage('convert')}: has no .nb file in {' or '.join(precisions)}.",
            "Run `ppedge convert --format nb --force`, or name the file.",
        )
    return [run.artifact("convert", name) for name in found]


def layer_names(run: Run, path: Path) -> dict[str, str]:
    """Return the network's own layer names by the weights' names in one of a run's files.

    Empty where nobody knows them: Paddle is not installed, or the network was brought in as an inference model.

    Raises:
        PpedgeError: The run's weights are missing or changed.
    """
    parent = run.manifest("convert")["parent"]
    if parent is None or find_spec("paddle") is None:
        return {}
    file = Converted.parse(str(path.relative_to(run.stage("convert"))))
    assert file is not None, f"{path} is not a converted file of {run.path}"
    stage = "train" if file.baseline else parent["stage"]
    kind = "quantized" if file.precision == "int8" else "float"
    with scratch("names") as folder:
        out = folder / "names.json"
        run_module("ppedge.cost.names", [run.path, stage, kind, out], f"Naming the layers of {path}")
        layers = read_json(out)
    rewrites = run.manifest("convert")["metrics"].get("rewrites", {})
    prefix = inference_prefix(file.task, "int8" if kind == "quantized" else "fp32", baseline=file.baseline)
    return with_origins(layers, rewrites.get(f"nb/{prefix}", {}).get("origins", {}))


def cost_of(
    path: Path,
    cpu: str,
    shape: Shape,
    *,
    layers: dict[str, str] | None = None,
    predicted: bool = False,
    allow_older_runtime: bool = False,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the cost of a file's operators on a core as plain JSON values, worst first.

    Args:
        path: A ``.nb`` file of a network with one input.
        cpu: The core.
        shape: (N, C, H, W) of the inference.
        layers: Structured layer names by weight.
        predicted: Take the table that ships with ppedge, and no runtime.
        allow_older_runtime: Count with a runtime that is older than the opt that wrote the file.
        tell: Told what is being done if the emulator must be set up.

    Returns:
        ``source`` (``counted`` or ``predicted``), ``runtime``, ``instructions`` (total) and ``operators``, each with
        its place in the file, layer, operator, kernel, shape of its output (None if not known), instructions and share
        of the total. In counted costs the operator ``runtime`` is what belongs to none: all sum to the total.

    Raises:
        PpedgeError: The file or the size is not fit, or the table lacks a kernel.
        MissingError: No runtime is registered.
    """
    nb = read_nb(path)
    computing = [op for op in nb.operators if op.type not in UNCOUNTED]
    if not computing:
        raise PpedgeError(f"{path}: holds no operator that computes.", "Name the file of a network.")
    names = named(computing, layers or {})
    about_operators = [
        {"layer": name, "operator": op.type, "kernel": str(op.kernel or "")}
        for op, name in zip(computing, names, strict=True)
    ]
    if predicted:
        found = operations(nb, shape)
        outputs: list[Any] = [list(op.output) for op in found]
        runtime, costs = about()["runtime"], [_predicted(path, op, cpu) for op in found]
    else:
        measured = measure_operators(path, cpu, shape, allow_older_runtime=allow_older_runtime, tell=tell)
        runtime, costs = measured.runtime, [counts["total"] for counts in measured.instructions]
        outputs = _shapes(nb, shape, len(costs))
        about_operators.append({"layer": "", "operator": "runtime", "kernel": ""})
        costs, outputs = [*costs, measured.rest["total"]], [*outputs, None]
    total = sum(costs)
    rows = [
        {"index": k, **told, "output": output, "instructions": cost, "share": cost / max(total, 1)}
        for k, (told, output, cost) in enumerate(zip(about_operators, outputs, costs, strict=True))
    ]
    return {
        "file": str(path),
        "cpu": cpu,
        "input_shape": list(shape),
        "source": "predicted" if predicted else "counted",
        "runtime": runtime,
        "instructions": total,
        "operators": sorted(rows, key=lambda row: (-row["instructions"], row["index"])),
    }


def _predicted(path: Path, op: Operation, core: str) -> int:
    with fitting(path, op.type):
        return round(predict(op, core))


def _shapes(nb: NbFile, shape: Shape, count: int) -> list[Any]:
    """Shapes of the outputs, for the reader only: what is not known of them is no reason not to count."""
    try:
        return [list(op.output) for op in operations(nb, shape)]
    except PpedgeError:
        return [None] * count


def runtime_there() -> bool:
    """Whether a runtime is registered that can count."""
    try:
        lite.registered()
    except MissingError:
        return False
    return True
