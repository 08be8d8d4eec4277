"""Stop every stage at random moments: ``python tests/e2e/kill_campaign.py --tries 100 --seed 1``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from killing import COMMANDS, SIGNALS, Base, Try, attempt


def main() -> int:
    """Make the tries, tell of each that went wrong, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=COMMANDS, action="append", help="These commands alone.")
    options = parser.parse_args()
    commands = options.only or list(COMMANDS)
    counts, failed, rng = Counter[str](), 0, random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        (folder / "base").mkdir()
        base = Base.make(folder / "base", commands)
        for number in range(options.tries):
            one = Try.draw(rng, base, commands)
            wrong = attempt(base, one, folder / f"try{number}")
            counts[f"{one.command} {one.how}"] += 1
            failed += bool(wrong)
            print(f"{number}: {one}: {'; '.join(wrong) or 'as it should be'}", flush=True)
    for command in commands:
        print(command, *(f"{how} {counts[f'{command} {how}']}" for how in SIGNALS))
    print(f"{options.tries} tries, {failed} went wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
