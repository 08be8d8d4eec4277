"""What `ppedge cost` tells: the operators of a run's ``.nb`` files with their cost, worst first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppedge.arm import cores, lite
from ppedge.artifacts import Converted, inference_prefix
from ppedge.cost.ideal import ideal
from ppedge.cost.measured import measure_operators
from ppedge.cost.operators import UNCOUNTED, Operation, fitting, operations_as_far_as_known
from ppedge.cost.predicted import about, estimate
from ppedge.cost.shapes import Shape, UnknownShapeError
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

    Where nobody knows them, since Paddle is not installed or the network was brought in as an inference model, only
    weights that rewriting has made have a name: that of the weight in whose place they stand.

    Raises:
        PpedgeError: The run's weights are missing or changed.
    """
    manifest = run.manifest("convert")
    file = Converted.parse(str(path.relative_to(run.stage("convert"))))
    assert file is not None, f"{path} is not a converted file of {run.path}"
    kind = "quantized" if file.precision == "int8" else "float"
    prefix = inference_prefix(file.task, "int8" if kind == "quantized" else "fp32", baseline=file.baseline)
    origins = manifest["metrics"].get("rewrites", {}).get(f"nb/{prefix}", {}).get("origins", {})
    layers: dict[str, str] = {}
    if manifest["parent"] is not None and find_spec("paddle") is not None:
        stage = "train" if file.baseline else manifest["parent"]["stage"]
        with scratch("names") as folder:
            out = folder / "names.json"
            run_module("ppedge.cost.names", [run.path, stage, kind, out], f"Naming the layers of {path}")
            layers = read_json(out)
    return with_origins(layers, origins)


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
        its place in the file, layer, operator, kernel, shape of its output (None if not known), instructions, share
        of the total, ``ideal`` (`ppedge.cost.ideal`) and instructions ``per_ideal``; so has the whole. In counted costs
        the operator ``runtime`` is what belongs to none: all sum to the total. Predicted instructions of an operator
        that the table does not know are None; the total is a ``lower_bound`` then, and ``warning`` says of what.

    Raises:
        PpedgeError: The file or the size is not fit, or the file computes in fp16 and what is asked does not know that.
        MissingError: No runtime is registered.
    """
    nb = read_nb(path)
    computing = [op for op in nb.operators if op.type not in UNCOUNTED]
    if not computing:
        raise PpedgeError(f"{path}: holds no operator that computes.", "Name the file of a network.")
    if any(op.precision == "fp16" for op in computing):
        _require_half_precision(path, cpu, predicted)
    costs = (
        _predicted(nb, cpu, shape)
        if predicted
        else _counted(nb, cpu, shape, allow_older_runtime=allow_older_runtime, tell=tell)
    )
    names = named(computing, layers or {})
    rows = [
        {"layer": name, "operator": op.type, "kernel": str(op.kernel or ""), **_figures(nb, operation, cost, cpu)}
        for op, name, operation, cost in zip(computing, names, costs.operations, costs.instructions, strict=True)
    ]
    if costs.rest is not None:
        rows.append({"layer": "", "operator": "runtime", "kernel": "", "output": None,
                     "instructions": costs.rest, "ideal": 0, "per_ideal": None})  # fmt: skip
    return {
        "file": str(path),
        "cpu": cpu,
        "input_shape": list(shape),
        "source": "predicted" if predicted else "counted",
        "runtime": costs.runtime,
        "lower_bound": bool(costs.warning),
        "warning": costs.warning,
        **_summed(rows),
    }


@dataclass(frozen=True)
class _Costs:
    """What a file's operators cost; None for what is not known. ``rest`` is the runtime's own, where it was counted."""

    runtime: str
    operations: Sequence[Operation | UnknownShapeError | None]
    instructions: Sequence[float | None]
    rest: int | None = None
    warning: str = ""


def _predicted(nb: NbFile, cpu: str, shape: Shape) -> _Costs:
    found = operations_as_far_as_known(nb, shape)
    estimated = estimate(nb, found, cpu)
    return _Costs(about()["runtime"], found, estimated.instructions, warning=estimated.warning)


def _counted(
    nb: NbFile, cpu: str, shape: Shape, *, allow_older_runtime: bool, tell: Callable[[str], None] | None
) -> _Costs:
    found: Sequence[Operation | UnknownShapeError | None]
    try:
        measured = measure_operators(nb.path, cpu, shape, allow_older_runtime=allow_older_runtime, tell=tell)
    except MissingError:
        raise
    except PpedgeError as error:
        if all(op.precision != "fp16" for op in nb.operators):
            raise
        hint = "Computing in fp16 needs a runtime built with --with_arm82_fp16=ON; or name the file in fp32 or int8."
        raise PpedgeError(error.message, hint) from error
    counts = [each["total"] for each in measured.instructions]
    try:
        found = operations_as_far_as_known(nb, shape)
    except PpedgeError:  # shapes and ideals are for the reader only: what does not fit is no reason not to count
        found = [None] * len(counts)
    return _Costs(measured.runtime, found, counts, measured.rest["total"])


def _require_half_precision(path: Path, cpu: str, predicted: bool) -> None:
    """Refuse a file in fp16 that cannot be predicted, or not run on a core.

    Raises:
        PpedgeError: It cannot.
    """
    if predicted:
        raise PpedgeError(
            f"{path}: computes in fp16, of which the cost table has no counts.", "Name the file in fp32 or int8."
        )
    if "asimdhp" not in (cores.features(cpu) or ["asimdhp"]):
        raise PpedgeError(f"{path}: computes in fp16, which {cpu} cannot.", "Use --cpu cortex-a76.")


def _figures(nb: NbFile, op: Operation | UnknownShapeError | None, cost: float | None, cpu: str) -> dict[str, Any]:
    """Return an operator's figures as JSON values, None for those that are not known."""
    instructions = None if cost is None else round(cost)
    if op is None or isinstance(op, UnknownShapeError):
        return {"output": None, "instructions": instructions, "ideal": None, "per_ideal": None}
    with fitting(nb.path, op.type):
        least = ideal(op, cpu)
    per_ideal = None if cost is None or not least else round(cost / least, 3)
    return {"output": list(op.output), "instructions": instructions, "ideal": round(least), "per_ideal": per_ideal}


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows with their shares, worst first and those without a cost last, and the sums of what all have."""
    total = sum(row["instructions"] or 0 for row in rows)
    ideals = [row["ideal"] for row in rows]
    least = None if None in ideals else sum(ideals)
    complete = all(row["instructions"] is not None for row in rows)
    for k, row in enumerate(rows):
        row |= {"index": k, "share": None if row["instructions"] is None else row["instructions"] / max(total, 1)}
    return {
        "instructions": total,
        "ideal": least,
        "per_ideal": round(total / least, 3) if least and complete else None,
        "operators": sorted(rows, key=lambda row: (row["share"] is None, -(row["share"] or 0), row["index"])),
    }


def runtime_there() -> bool:
    """Whether a runtime is registered that can count."""
    try:
        lite.registered()
    except MissingError:
        return False
    return True
