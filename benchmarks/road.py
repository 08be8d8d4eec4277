"""How much processor time ``ppedge convert`` and ``ppedge validate`` of a run take, here and in another checkout.

Each works on a copy of the run of its own; what is converted is what is validated. Counted is what all processes of a
command take, in user mode and in the kernel.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from timing import take_turns

HERE = Path(__file__).resolve().parents[1]
STAGES = ("convert", "validate")


def processor() -> float:
    """Seconds that this process's ended children have taken, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(checkout: Path, stage: str, run: Path) -> Callable[[], None]:
    """Return what runs a stage by a checkout's package."""
    line = [sys.executable, "-m", "ppedge", stage, str(run), "--force"]
    variables = {**os.environ, "PYTHONPATH": str(checkout / "toolkit")}

    def call() -> None:
        done = subprocess.run(line, env=variables, capture_output=True, text=True, errors="replace")
        if done.returncode:
            sys.exit(f"{' '.join(line)} of {checkout}:\n{done.stderr}")

    return call


def sums(run: Path) -> dict[str, str]:
    """Return the sums of what was converted for other runtimes, by name."""
    folder = run / "convert"
    files = [path for kind in ("*.nb", "*.onnx") for path in folder.rglob(kind)]
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def report(stage: str, seconds: Sequence[float]) -> None:
    """Print a row: the median here, and where there is another checkout its median and the ratio."""
    ours, *others = seconds
    print(f"{stage:10}{ours:8.2f} s" + "".join(f"{theirs:8.2f} s{ours / theirs:8.2f}" for theirs in others))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="a run, trained or slimmed, by the older of the two; it is not changed")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout of this project")
    parser.add_argument("--stage", choices=STAGES, action="append", help="may be repeated (both)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="turns that each takes (3), after one that does not count"
    )
    options = parser.parse_args()
    checkouts = [HERE, *([options.against.resolve()] if options.against else [])]
    for checkout in checkouts:
        if not (checkout / "toolkit" / "ppedge").is_dir():
            parser.error(f"{checkout}: no checkout of this project")
    with tempfile.TemporaryDirectory(prefix="road-") as folder:
        runs = [Path(folder, str(k)) for k in range(len(checkouts))]
        for run in runs:
            shutil.copytree(options.run, run)
        for stage in (one for one in STAGES if one in (options.stage or STAGES)):
            calls = {str(run): command(checkout, stage, run) for checkout, run in zip(checkouts, runs, strict=True)}
            report(stage, list(take_turns(calls, options.rounds, processor).values()))
        if len(runs) > 1:
            print("the same bytes" if sums(runs[0]) == sums(runs[1]) else "other bytes: the .nb and .onnx files differ")


if __name__ == "__main__":
    main()
