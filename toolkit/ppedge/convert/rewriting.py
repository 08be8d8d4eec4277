"""Rewrites of inference programs before they are converted: applied, checked on inputs, and priced.

`main` runs in a process of its own, which has Paddle.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.convert.export import inputs_for
from ppedge.convert.lite import Precision, to_nb
from ppedge.convert.rewrites import Form, Job, Rewrites
from ppedge.cost.operators import CORES, operations
from ppedge.cost.predicted import predict
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.program.passes import APPROXIMATE, FOR_ONNX, PASSES, Prices, Step, rewrite, rewrite_checked
from ppedge.program.program import Program
from ppedge.scratch import scratch
from ppedge.storage import read_json, write_json


def rewrite_in_place(prefix: Path, how: Rewrites) -> dict[str, str]:
    """Rewrite an inference model that is priced and thrown away, unchecked; return the origins of new weights."""
    files = InferenceModel.at(prefix)
    program = Program.read(files)
    rewrite(program, _passes(how, "nb"))
    program.write(files)
    return program.origins


def _passes(how: Rewrites, form: Form) -> tuple[str, ...]:
    """Return the names of the passes that are applied, in their order."""
    if how == "none":
        return ()
    if form == "onnx":  # its runtimes are not slow at what Paddle Lite is
        return FOR_ONNX
    return (*PASSES, *APPROXIMATE) if how == "approximate" else tuple(PASSES)


Computed = dict[bytes, list[np.ndarray]]
"""Outputs of programs that were run before, by the sum of the program and what it was run on."""


def rewrite_job(job: Job, computed: Computed | None = None) -> dict[str, Any]:
    """Write the rewritten files of a job and return what was done, as plain JSON values.

    Args:
        job: What is asked.
        computed: Of earlier jobs, and of this one afterwards: the same network is rewritten for several forms.

    Returns:
        ``note``, a sentence on what was left as it is and why, or empty; ``before``, the instructions by core;
        ``passes``, a list of what each did; ``origins``, the network's weights by the names of new ones.
    """
    files, out = InferenceModel.at(Path(job.prefix)), InferenceModel.at(Path(job.out))
    try:
        program = Program.read(files)
        run = runner(_inputs(job, files), job.precision, computed)
        program, before, steps = rewrite_checked(program, _passes(job.rewrite, job.form), run, _pricer(job))
    except PpedgeError as error:
        return {"note": f"not rewritten: {error.message}", "before": {}, "passes": [], "origins": {}}
    program.write(out)
    done = any(not step.refused for step in steps)
    note = "" if done else "no rewrite applies to it"
    return {"note": note, "before": dict(before), "passes": [_told(step) for step in steps], "origins": program.origins}


def _inputs(job: Job, files: InferenceModel) -> list[np.ndarray]:
    with np.load(job.pictures) as arrays:
        pictures = [arrays[name] for name in arrays.files]
    return [*pictures, *inputs_for(files, job.task, job.height)]


def _told(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "difference": step.difference if np.isfinite(step.difference) else None,
        "instructions": dict(step.prices),
        "refused": step.refused,
        "changes": [asdict(change) for change in step.changes],
    }


def runner(
    inputs: Sequence[np.ndarray], precision: Precision, computed: Computed | None = None
) -> Callable[[Program], list[np.ndarray]]:
    """Return what runs a program in Paddle on inputs; a quantized one as it stands, without Paddle's own fusions.

    Args:
        inputs: What it is run on, one after the other.
        precision: ``int8`` for a quantized program.
        computed: What was computed before, and is afterwards.
    """
    known: Computed = {} if computed is None else computed
    given = [precision.encode(), *(x.tobytes() for x in inputs), *(str(x.shape).encode() for x in inputs)]

    def run(program: Program) -> list[np.ndarray]:
        with scratch("rewritten") as folder:
            files = InferenceModel.at(folder / "program")
            program.write(files)
            key = _sum([*given, files.model.read_bytes(), files.params.read_bytes()])
            if key not in known:
                with open_engine("paddle", files.model, ir_optim=precision != "int8") as engine:
                    known[key] = [output for x in inputs for output in engine.run([x])]
        return known[key]

    return run


def _sum(parts: Sequence[bytes]) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part).digest())
    return found.digest()


def _pricer(job: Job) -> Callable[[Program], Prices]:
    """Return what prices a program by the cost table: nothing where that lacks a kernel, or for ONNX."""

    def price(program: Program) -> Prices:
        if job.form == "onnx":
            return {}
        with scratch("rewritten") as folder:
            prefix = folder / "program"
            program.write(InferenceModel.at(prefix))
            nb = to_nb(prefix, folder / "program.nb", job.precision, [*job.float_weights, *program.origins])
            try:
                found = operations(nb, (1, 3, *job.size))
                return {core: float(sum(predict(one, core) for one in found)) for core in CORES}
            except PpedgeError:
                return {}

    return price


def main(arguments: Sequence[str]) -> None:
    """Rewrite inference models: a child process of the convert stage."""
    parser = argparse.ArgumentParser(prog="ppedge.convert.rewriting")
    parser.add_argument("jobs", type=Path, help="A JSON list of jobs.")
    options = parser.parse_args(arguments)
    try:
        computed: Computed = {}
        for entry in read_json(options.jobs):
            job = Job(**entry)
            print(f"rewriting {job.prefix}", flush=True)  # if Paddle aborts without a word, this line is the last
            write_json(Path(f"{job.out}.json"), rewrite_job(job, computed))
    except PpedgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
