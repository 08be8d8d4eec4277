"""An ONNX model on onnxruntime beside the ``.nb`` that was made of it on the emulated ARM core, on real pictures.

``onnx_parity.py FILE.onnx RUN --limit N --set data.root=DIR --set data.eval=[FILE]``: RUN is what ``ppedge convert
--from-onnx FILE.onnx`` has made. `ppedge validate` holds the same ``.nb`` against Paddle; this leaves Paddle out, and
prints the largest difference of an output, the boxes or strings that are the same, and the metric of both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ppedge import artifacts
from ppedge.cli.options import run_and_recipe
from ppedge.data.source import few_samples, shipped_spec
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.validate.parity import compare
from ppedge.validate.workers import Workers


def main() -> None:
    """Compare, and print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("onnx", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe, as ppedge has it"
    )
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32", help="of the .nb file (fp32)")
    parser.add_argument("--cpu", default="cortex-a53")
    parser.add_argument("--limit", type=int, default=20)
    options = parser.parse_args()
    try:
        run, recipe = run_and_recipe(options.run, options.set)
        samples = few_samples(recipe, "eval", options.limit)
        path = run.artifact("convert", artifacts.nb(recipe.task, options.precision))

        def opened() -> Any:
            return open_engine("arm-paddlelite", path, cpu=options.cpu)

        with open_engine("onnxruntime", options.onnx) as reference, Workers[Any]([opened]) as workers:
            found = compare(reference, workers, shipped_spec(run), samples, recipe.metric, seed=recipe.seed)
    except PpedgeError as error:
        sys.exit(f"error: {error}")
    print(
        f"{options.onnx.name}, {len(samples)} samples on {options.cpu}: largest difference {found.max_difference:.1e}, "
        f"agreement {found.agreement.to_dict()}, {found.metric} {found.reference_metrics[found.metric]:.4f} and "
        f"{found.candidate_metrics[found.metric]:.4f}"
    )


if __name__ == "__main__":
    main()
