"""Bringing an inference model in: what Paddle makes of it, and its program for one line at a time.

`main` runs in a process of its own, which has Paddle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ppedge.convert.export import inputs_for, save_cases
from ppedge.convert.imported import TASKS
from ppedge.convert.one_line import unfit
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.program.batch import of_one
from ppedge.program.program import Program


def write_one_line(files: InferenceModel, prefix: Path) -> None:
    """Write a network for one line at a time.

    Raises:
        PpedgeError: The network cannot be read, or Paddle knows no shapes of it then.
    """
    program = Program.read(files)
    try:
        one = of_one(program)
    except (RuntimeError, ValueError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise unfit(files, f", and of one line Paddle knows no shapes ({cause})") from error
    prefix.parent.mkdir(parents=True, exist_ok=True)
    one.write(InferenceModel.at(prefix))


def main(arguments: Sequence[str]) -> None:
    """Write reference cases, ``PREFIX.npz``, and a program for one line: a child process of the convert stage."""
    parser = argparse.ArgumentParser(prog="ppedge.convert.bringing")
    parser.add_argument("prefix", type=Path)
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("height", type=int)
    parser.add_argument("--one-line", type=Path)
    options = parser.parse_args(arguments)
    files = InferenceModel.at(options.prefix)
    try:
        with open_engine("paddle", files.model) as engine:
            cases = [(x, engine.run([x])[0]) for x in inputs_for(files, options.task, options.height)]
        if options.one_line:
            write_one_line(files, options.one_line)
    except PpedgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    save_cases(options.prefix.with_name(f"{options.prefix.name}.npz"), cases)
