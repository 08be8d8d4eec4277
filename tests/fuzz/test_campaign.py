"""A short run of the campaign: nothing is found."""

import pytest

from fuzz import report
from fuzz.contract import REFUSED
from fuzz.runner import Campaign
from fuzz.targets import campaign_targets

INPUTS = 30
"""Of each target; `make fuzz` runs thousands."""
SEED = 12


@pytest.mark.slow
def test_nothing_is_found_in_a_short_run(tmp_path):
    tallies = Campaign(tmp_path, workers=1).run(campaign_targets(), INPUTS, SEED)
    told = f"{report.table(tallies)}\n{report.findings(tallies)}"
    assert report.found(tallies) == 0, told
    # That what they start from is accepted, `test_inputs.py` holds.
    assert all(sum(tally.counts[kind] for kind in REFUSED) for tally in tallies.values()), told
