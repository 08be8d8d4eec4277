"""``python -m fuzz``: run the campaign, or one finding again."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from fuzz import report
from fuzz.contract import FINDINGS
from fuzz.runner import Campaign, repeat
from fuzz.targets import campaign_targets
from fuzz.worker import Limits


def main() -> int:
    """Return 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Run mutated inputs through everything that "
                                     "reads files.")  # fmt: skip
    parser.add_argument("--inputs", type=int, default=100_000, help="how many, over all targets")
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same inputs")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="for one input before it counts as hung")
    parser.add_argument("--out", type=Path, default=Path("../fuzz-findings"), help="where findings are kept")
    parser.add_argument("--only", nargs="*", help="targets, as MODULE or MODULE.NAME")
    parser.add_argument("--again", type=Path, metavar="FOLDER", help="run one finding again, alone")
    arguments = parser.parse_args()
    if arguments.again:
        outcome = repeat(arguments.again)
        print(f"{outcome.kind}: {outcome.words}\n{outcome.trace}")
        return int(outcome.kind in FINDINGS)
    targets = campaign_targets(arguments.only)
    limits, tell = Limits(seconds=arguments.seconds), partial(print, file=sys.stderr)
    campaign = Campaign(arguments.out, limits, arguments.workers, tell)
    with suppress(KeyboardInterrupt):  # what was counted so far is worth telling
        campaign.run(targets, -(-arguments.inputs // len(targets)), arguments.seed)
    print(report.table(campaign.tallies))
    print(report.findings(campaign.tallies))
    return int(report.found(campaign.tallies) > 0)


if __name__ == "__main__":
    sys.exit(main())
