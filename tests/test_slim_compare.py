"""The comparison of ways to slim, with a stand-in for the commands that it calls; one test calls them really."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from ppedge.errors import GateError, PpedgeError
from ppedge.recipe.io import save
from ppedge.runs import Run
from small import tiny_recipe

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "slim_compare.py"
SECOND = ("elsewhere", "val.txt")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("slim_compare", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["slim_compare"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["slim_compare"]


@pytest.fixture
def trained(tmp_path):
    run = Run(tmp_path / "trained")
    save(tiny_recipe("det", tmp_path / "data"), run.recipe_path)
    with run.writing("train") as folder:
        (folder / "best.pdparams").write_bytes(b"weights")
        (folder / "last.ckpt").write_bytes(b"large")
        run.write_manifest(folder, "train", outputs=["best.pdparams"])
    return run


class Commands:
    """What ``ppedge`` would leave and print; a slimmed network is worse by a point a seed and half the size."""

    def __init__(self):
        self.called = []
        self.unmet = ()
        self.worthless = False  # 8 bits, to ``--quant arm``

    def __call__(self, command, target, *options):
        self.called.append((command, Path(target).parent.name, *map(str, options)))
        run = Run(Path(target))
        slimmed = run.done("slim")
        if command == "slim":
            if set(self.unmet) & set(options):
                raise GateError("ppedge slim: cannot be met.")
            seed = next(int(option[5:]) for option in options if option.startswith("seed="))
            quant = options[options.index("--quant") + 1]
            found = {"seconds": 60.0 * (seed + 1), "seed": seed}
            found["quant"] = "none" if quant == "arm" and self.worthless else quant
            with run.writing("slim") as folder:
                run.write_manifest(folder, "slim", outputs=[], parent="train", **found)
        elif command == "convert":
            with run.writing("convert") as folder:
                (folder / "det.nb").write_bytes(b"x" * (1000 if slimmed else 2000))
                run.write_manifest(folder, "convert", outputs=["det.nb"], parent="slim" if slimmed else "train")
        elif command == "cost":
            entry = {"file": str(run.stage("convert") / "det.nb"), "source": "predicted", "runtime": "a table",
                     "input_shape": [1, 3, 4, 4], "instructions": 4_000_000 if slimmed else 8_000_000}  # fmt: skip
            return [{**entry, "cpu": cpu} for cpu in ("cortex-a53", "cortex-a76")]
        else:
            worse = 0.1 * any("elsewhere" in str(option) for option in options)
            drop = 0.01 * (run.manifest("slim")["seed"] + 1) if slimmed else 0
            return {
                "metrics": {"hmean": 0.9 - drop - worse},
                "split": "test",
                "domain": {"different": True} if worse and drop else None,
            }
        return {}


@pytest.fixture
def commands(script, monkeypatch):
    made = Commands()
    monkeypatch.setattr(script, "ppedge", made)
    return made


def test_each_budget_is_a_way_of_its_own(script):
    found = script.ways(["float", *script.WAYS[1:]], ["a53=0.5", "a53=0.3 a76=0.4"])
    assert [way.name for way in found] == [
        "float, as trained",
        "fpgm",
        "fpgm, pact",
        "arm, a53=0.5",
        "arm, a53=0.3 a76=0.4",
        "arm, a53=0.5, pact",
        "arm, a53=0.3 a76=0.4, pact",
        "arm, a53=0.5, arm",
        "arm, a53=0.3 a76=0.4, arm",
    ]
    assert found[-1].options == ("--prune", "arm", "--quant", "arm", "--budget", "a53=0.3 a76=0.4")
    assert [way.name for way in script.ways(["arm"], [])] == ["arm"]


def test_a_budget_may_hold_settings_of_the_recipe(script):
    longer = "slim.prune.arm.distill.epochs=100"
    found = script.ways(["arm+arm"], [f"a53=0.3 {longer} a76=0.4", longer])
    assert [way.name for way in found] == [f"arm, a53=0.3 {longer} a76=0.4, arm", f"arm, {longer}, arm"]
    method = ("--prune", "arm", "--quant", "arm")
    assert [way.options for way in found] == [
        (*method, "--budget", "a53=0.3 a76=0.4", "--set", longer),
        (*method, "--set", longer),
    ]


def test_the_table_has_shares_of_the_float_network_and_mean_and_spread_over_seeds(script, commands, trained, tmp_path):
    comparison = script.Comparison(trained, tmp_path / "work", [], SECOND)
    rows, sources = script.compared(comparison, script.ways(["float", "fpgm+pact"], []), [0, 1, 2])
    lines = script.table(rows, "hmean").splitlines()
    assert lines[0].startswith(
        "| way | hmean, % | .nb, KB | share | a53, M | share | a76, M | share | minutes | second"
    )
    assert lines[2] == "| float, as trained | 90.00 | 2 | 1.000 | 8.0 | 1.000 | 8.0 | 1.000 |  | 80.00 |"
    assert (
        lines[3] == "| fpgm, pact | 88.00 (2.00) | 1 | 0.500 | 4.0 | 0.500 | 4.0 | 0.500 | 2.0 (2.0) | 78.00 (2.00) |"
    )
    assert [row["domain"] for row in rows] == [None, {"different": True}]
    assert sources == ["predicted, a table, 1x3x4x4"]
    assert not list((tmp_path / "work").rglob("*.ckpt"))
    assert [call[0] for call in commands.called].count(
        "slim"
    ) == 3  # the network as trained needs no seeds, no slimming


@pytest.mark.parametrize("worthless", [False, True])
def test_the_file_that_is_looked_at_is_of_the_precision_that_slimming_left(
    script, commands, trained, tmp_path, worthless
):
    commands.worthless = worthless
    comparison = script.Comparison(trained, tmp_path / "work", [], None)
    script.compared(comparison, script.ways(["float", "arm", "arm+pact", "arm+arm"], []), [0])
    asked = {call[1]: call[-2] for call in commands.called if call[0] == "cost"}
    assert asked == {
        "float-as-trained.seed0": "fp32",
        "arm.seed0": "fp32",
        "arm-pact.seed0": "int8",
        "arm-arm.seed0": "fp32" if worthless else "int8",
    }
    assert {call[1]: call[-2] for call in commands.called if call[0] == "convert"} == asked


def test_what_is_finished_is_not_done_again(script, commands, trained, tmp_path, monkeypatch):
    work, asked = tmp_path / "work", script.ways(["float", "fpgm"], [])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def until_cost(command, *rest):
            if command == "cost" and "fpgm" in str(rest[0]):
                raise KeyboardInterrupt
            return commands(command, *rest)

        patch.setattr(script, "ppedge", until_cost)
        script.compared(script.Comparison(trained, work, [], None), asked, [0])
    commands.called.clear()
    first = script.compared(script.Comparison(trained, work, [], None), asked, [0])
    assert [call[:2] for call in commands.called] == [("cost", "fpgm.seed0"), ("eval", "fpgm.seed0")]
    commands.called.clear()
    assert script.compared(script.Comparison(trained, work, [], None), asked, [0]) == first
    assert commands.called == []
    script.compared(script.Comparison(trained, work, [], SECOND), asked, [0])  # a column more
    assert {call[0] for call in commands.called} == {"eval"}


def test_the_weights_that_training_started_from_have_a_row(script, commands, trained, tmp_path):
    weights = tmp_path / "official.pdparams"
    weights.write_bytes(b"")
    save(tiny_recipe("det", tmp_path / "data", train={"weights": str(weights)}), trained.recipe_path)
    rows, _ = script.compared(
        script.Comparison(trained, tmp_path / "work", [], SECOND), script.ways(["float"], []), [0]
    )
    assert [row["way"] for row in rows] == ["float, as trained", "float, official weights"]
    assert (rows[1]["metric"][0], rows[1]["second"][0]) == (0.9, pytest.approx(0.8))
    assert rows[1]["nb_bytes"] == rows[0]["nb_bytes"]


def test_a_budget_that_cannot_be_met_is_a_row_and_no_end(script, commands, trained, tmp_path):
    commands.unmet = ("a53=0.01",)
    comparison = script.Comparison(trained, tmp_path / "work", [], SECOND)
    rows, _ = script.compared(comparison, script.ways(["float", "arm", "fpgm"], ["a53=0.01"]), [0])
    lines = script.table(rows, "hmean").splitlines()
    assert lines[3].startswith("| arm, a53=0.01 | failed: ppedge slim: cannot be met. |")
    assert lines[4].startswith("| fpgm | 89.00 |")
    assert len({line.count("|") for line in lines}) == 1


def test_a_folder_holds_one_comparison(script, commands, trained, tmp_path):
    script.Comparison(trained, tmp_path / "work", [], None)
    with pytest.raises(PpedgeError, match=r"holds a comparison of another run, or with other --set\. Name another"):
        script.Comparison(trained, tmp_path / "work", ["slim.prune.multiple=4"], None)
    with pytest.raises(PpedgeError, match="the stage train has not been run"):
        shutil.rmtree(trained.stage("train"))
        script.Comparison(trained, tmp_path / "other", [], None)
    assert not (tmp_path / "other").exists()


def test_a_command_that_fails_is_told_in_its_own_words(script, capfd):
    with pytest.raises(PpedgeError, match=r"^ppedge eval: .*nowhere: not a run"):
        script.ppedge("eval", "nowhere", "--json")
    assert "not a run" in capfd.readouterr().err
