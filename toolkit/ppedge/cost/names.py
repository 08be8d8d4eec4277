"""The network's own names of the weights in its ``.nb`` files, which have Paddle's running numbers: ``conv2d_7.w_0``.

Run it in a process of its own (``python -m ppedge.cost.names RUN STAGE KIND OUT.json``): a network that is rebuilt in a
fresh process, as the convert stage's child does it, gets the same numbers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ppedge.data.kept import kept_recipe
from ppedge.errors import PpedgeError
from ppedge.models.naming import layer_names
from ppedge.runs import Run
from ppedge.slim.network import load_float, load_quantized
from ppedge.storage import write_json
from ppedge.train.task import Task


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the names of a run's network: the child process of ``ppedge cost``."""
    parser = argparse.ArgumentParser(prog="python -m ppedge.cost.names")
    parser.add_argument("run", type=Path)
    parser.add_argument("stage", choices=("train", "slim"))
    parser.add_argument("kind", choices=("float", "quantized"))
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        run = Run(options.run)
        task = Task.of_run(kept_recipe(run), run)
        net = load_quantized(run, task) if options.kind == "quantized" else load_float(run, task, options.stage)
        write_json(options.out, layer_names(net))
    except PpedgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
