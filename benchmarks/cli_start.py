"""How long ``ppedge --help`` takes, beside a Python that does nothing.

Ends with exit code 1 if the median of a command is over the limit.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from functools import partial
from statistics import median

from timing import take_turns


def start(command: list[str], cpu: list[float]) -> None:
    """Run a command to its end and append the processor time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commands", nargs="*", help="also measure `ppedge COMMAND --help`")
    parser.add_argument("--rounds", type=int, default=10, help="turns that each takes (10)")
    parser.add_argument("--limit", type=float, default=0.3, help="seconds (0.3)")
    options = parser.parse_args()

    commands = {"python -c pass": [sys.executable, "-c", "pass"]}
    for arguments in ([], *([name] for name in options.commands)):
        commands[" ".join(["ppedge", *arguments, "--help"])] = [sys.executable, "-m", "ppedge", *arguments, "--help"]
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    wall = take_turns({name: partial(start, command, cpu[name]) for name, command in commands.items()}, options.rounds)
    bare = wall["python -c pass"]
    for name, seconds in wall.items():
        print(f"{name:24}{seconds:7.3f} s{median(cpu[name]):8.3f} s of processor{seconds / bare:7.1f} x bare Python")
    sys.exit(int(max(wall.values()) > options.limit))


if __name__ == "__main__":
    main()
