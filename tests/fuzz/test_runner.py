"""The runner, on targets with a planted fault each: what hangs, dies, eats memory or lies is counted as that."""

import json

import pytest

from fuzz import report
from fuzz.contract import ABORT, ACCEPTED, BUG, HANG, MEMORY, SENTENCE, WRONG, find_target
from fuzz.drawing import draw
from fuzz.runner import FINDING, KEPT, Campaign, repeat
from fuzz.worker import INPUT, Limits

LIMITS = Limits(seconds=2.0, memory=1 << 29)
EXPECTED = {
    "accept": ACCEPTED, "refuse": "exit 2", "miss": "exit 3", "bug": BUG, "eat": MEMORY, "swallow": MEMORY,
    "escape": SENTENCE, "print_escape": SENTENCE, "print_no_text": BUG, "ramble": SENTENCE, "name_nothing": SENTENCE,
    "say_nothing": SENTENCE, "wrong": WRONG, "abort": ABORT, "leave": ABORT, "hang": HANG,
}  # fmt: skip


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    campaign = Campaign(tmp_path_factory.mktemp("findings"), LIMITS)
    campaign.run([f"planted.{name}" for name in EXPECTED if name != "hang"], 2, 0)
    campaign.run(["planted.hang"], 1, 0)
    return campaign


@pytest.mark.parametrize(("name", "kind"), EXPECTED.items())
def test_each_fault_is_counted_as_what_it_is(campaign, name, kind):
    tally = campaign.tallies[f"planted.{name}"]
    assert tally.counts == {kind: 1 if name == "hang" else 2}
    assert len(tally.findings) == (kind not in (ACCEPTED, "exit 2", "exit 3"))


def test_what_was_found_is_kept_and_repeats_alone(campaign):
    tally = campaign.tallies["planted.bug"]
    [(key, kept)] = tally.kept.items()
    assert key[0] == BUG and "ValueError" in key[1]
    about = json.loads((kept[0] / FINDING).read_text())
    assert about["target"] == "planted.bug"
    [first, *_] = draw(find_target("planted.bug").inputs(), "planted.bug", about["seed"], about["batch"])
    assert (kept[0] / INPUT / "x.txt").read_bytes() == first["x.txt"]
    again = repeat(kept[0], LIMITS)
    assert (again.kind, again.place) == key


def test_where_a_process_died_or_hung_is_told(campaign):
    for name, function in (("abort", "_abort"), ("hang", "_hang")):
        [kept] = campaign.tallies[f"planted.{name}"].kept.values()
        assert function in json.loads((kept[0] / FINDING).read_text())["trace"]


def test_the_campaign_goes_on_behind_an_input_that_killed_its_process(tmp_path):
    tally = Campaign(tmp_path, Limits(seconds=1.0)).run(["planted.sometimes"], 8, 2)["planted.sometimes"]
    assert tally.counts.total() == 8
    assert {ABORT, HANG, BUG, ACCEPTED} == set(tally.counts)
    assert all(len(kept) <= KEPT for kept in tally.kept.values())
    assert not (tmp_path / ".workers").exists()


def test_the_same_seed_draws_the_same_inputs():
    inputs = find_target("planted.accept").inputs()
    assert draw(inputs, "a", 1, 20) == draw(inputs, "a", 1, 20) != draw(inputs, "a", 2, 20) != draw(inputs, "b", 2, 20)


def test_the_report_counts_and_says_how_to_repeat(campaign):
    table = report.table(campaign.tallies)
    assert table.splitlines()[0].startswith("|")
    assert len({len(line) for line in table.splitlines()}) == 1
    assert (
        report.found(campaign.tallies)
        == 2 * sum(kind not in (ACCEPTED, "exit 2", "exit 3") for kind in EXPECTED.values()) - 1
    )
    told = report.findings(campaign.tallies)
    assert "planted.bug: exit 70, 2 times: ValueError" in told
    assert "--again" in told and "planted.accept" not in told
