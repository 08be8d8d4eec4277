"""Stages that are stopped from outside; ``kill_campaign.py`` does so at many random moments."""

import random

import pytest
from killing import Base, Try, attempt


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return Base.make(tmp_path_factory.mktemp("base"), ["train", "cml"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "how"), [("train", "TERM"), ("cml", "KILL"), ("slim", "TERM"), ("convert", "KILL")]
)
def test_a_stage_that_is_stopped_at_any_moment(base, tmp_path, command, how):
    """It ends at once, loses nothing, and the next command goes on as if nothing had been."""
    moment = random.Random(f"{command} {how}").uniform(0.3, 0.9) * base.seconds["train"]
    assert attempt(base, Try(command, how, moment, group=how == "TERM"), tmp_path / "try") == []
