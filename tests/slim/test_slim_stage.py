import json
import shutil

import numpy as np
import pytest
import yaml

from ppedge.convert.stage import run_convert
from ppedge.cost.report import layer_names
from ppedge.errors import PpedgeError
from ppedge.files.naming import named
from ppedge.files.nb import read_nb
from ppedge.metrics.scores import RecMetric
from ppedge.models.flops import count_flops
from ppedge.models.heads.cls import ClsHead
from ppedge.models.heads.ctc import CTCHead
from ppedge.models.heads.db import DBHead
from ppedge.models.weights import read_pdparams, state_of, write_pdparams
from ppedge.progress import Reporter
from ppedge.recipe.io import as_written, load_recipe, save
from ppedge.recipe.road import Convert
from ppedge.runs import MANIFEST, Run
from ppedge.slim import pruning
from ppedge.slim.arm.prices import Prices
from ppedge.slim.network import load_float, load_quantized
from ppedge.slim.plan import Plan
from ppedge.slim.stage import run_slim, slim_frontier
from ppedge.storage import read_json, sha256, write_json
from ppedge.train.stage import run_train
from ppedge.train.task import OUTPUT_ERROR, Task
from small import lively

QUIET = Reporter(quiet=True)
SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "learning_rate": 1e-3, "freeze_bn": True}
SLIM = {
    "prune": {
        "mode": "sensitivity",
        "ratios": [0.5],
        "samples": 2,
        "target_flops": 0.8,
        "max_drop": 1.0,
        "finetune": SHORT,
    },
    "quant": {"samples": 4, "train": SHORT},
}


@pytest.fixture(scope="module")
def trained(examples, tmp_path_factory):
    """Folders of trained runs, by task."""
    runs = {}
    for task, example in examples.items():
        runs[task] = tmp_path_factory.mktemp(task) / "run"
        value = as_written(example.recipe)
        value["slim"] = SLIM
        path = runs[task].parent / "recipe.yml"
        path.write_text(yaml.safe_dump(value))
        run_train(load_recipe(path), Run(runs[task]), device="cpu", reporter=QUIET)
    return runs


@pytest.fixture
def run_of(trained, tmp_path):
    def copy(task, name="run"):
        shutil.copytree(trained[task], tmp_path / name)
        return Run(tmp_path / name)

    return copy


def slim(run, *overrides, gains=None, reporter=QUIET, **options):
    """Slim a run; ``gains`` gives what a network's layers save in int8."""
    if gains is not None:
        options["price"] = lambda net: Prices({}, gains(net))
    recipe = load_recipe(run.recipe_path, overrides)
    return run_slim(recipe, run, device="cpu", reporter=reporter, **options), recipe


def hashes(run):
    return {
        entry["path"]: entry["sha256"]
        for entry in run.manifest("slim")["outputs"]
        if not entry["path"].endswith("jsonl")
    }


@pytest.mark.slow
@pytest.mark.parametrize("task", ["det", "rec"])
def test_prune_and_quantize_twice_gives_the_same_bytes(run_of, task):
    runs = [run_of(task, name) for name in "ab"]
    (metrics, recipe), (again, _) = slim(runs[0]), slim(runs[1])
    assert hashes(runs[0]) == hashes(runs[1])
    assert metrics == again
    assert set(hashes(runs[0])) == {"plan.json", "sensitivity.json", "pruned.pdparams", "best.pdparams",
                                    "clips.json", "quantization.json"}  # fmt: skip
    assert 0.5 < metrics["flops_left"] <= 0.8
    assert set(metrics) == {"float", "flops_left", "pruned", "finetuned", "calibrated", "quantized"}
    manifest = runs[0].manifest("slim")
    assert manifest["parent"] == {"stage": "train", "sha256": sha256(runs[0].stage("train") / MANIFEST)}
    assert sorted(p.name for p in runs[0].stage("slim").iterdir()) == sorted(
        [*(entry["path"] for entry in manifest["outputs"]), MANIFEST]
    )
    # What later steps rebuild is what was measured.
    training = Task(recipe)
    samples, _ = training.samples("eval")
    assert training.evaluate(load_quantized(runs[0], training), samples) == metrics["quantized"]
    assert training.evaluate(load_float(runs[0], training, "slim"), samples) == metrics["finetuned"]


def test_flat_pruning_alone(run_of):
    run = run_of("det")
    metrics, recipe = slim(
        run, "slim.prune.mode=flat", "slim.prune.ratio=0.4", "slim.prune.multiple=4", "slim.quant.method=none"
    )
    assert set(metrics) == {"float", "flops_left", "pruned", "finetuned"}
    assert metrics["flops_left"] < 0.8
    plan = Plan.load(run.artifact("slim", "plan.json"))
    net = load_float(run, Task(recipe), "slim")
    shapes = {name: value.shape for name, value in state_of(net).items()}
    for name, axes in plan.keep.items():
        assert all(shapes[name][axis] == len(kept) and len(kept) % 4 == 0 for axis, kept in axes.items())
    assert sha256(run.artifact("slim", "best.pdparams")) == sha256(run.artifact("slim", "pruned.pdparams"))
    with pytest.raises(PpedgeError, match=r"has no quantized network\. Run `ppedge slim --quant pact`"):
        load_quantized(run, Task(recipe))


def test_what_slimming_loses_is_held_against_a_limit_and_the_files_are_kept(run_of, ppedge_here, monkeypatch):
    """The network reads every line as it was trained, and none once it is slimmed."""
    run, measured = run_of("rec"), []

    def measure(task, net, samples, **options):
        metric, alive = RecMetric(), not measured
        measured.append(net)
        metric.update([sample.text if alive else "" for sample in samples], [sample.text for sample in samples])
        return metric

    monkeypatch.setattr(Task, "measure", measure)
    arguments = [run.path, "--prune", "none", "--quant", "none", "--device", "cpu"]
    code, out, err = ppedge_here("slim", *arguments)
    assert code == 1
    assert "slimming took exact on data.eval from 1.0000 to 0.0000, a drop of 1 where slim.max_metric_drop" in err
    assert "the files are kept" in err and "float  exact 1.0000" in out
    assert run.artifact("slim", "best.pdparams").is_file()
    drop = run.manifest("slim")["drop"]
    assert (drop["before"], drop["after"], drop["passed"]) == (1.0, 0.0, False)
    measured.clear()
    code, _, err = ppedge_here("slim", *arguments, "--force", "--set", "slim.max_metric_drop=null")
    assert (code, run.manifest("slim")["drop"]["passed"]) == (0, True), err


def test_a_classifiers_sensitivity_is_measured_on_lines_both_ways(run_of):
    run, said = run_of("cls"), []
    reporter = Reporter(quiet=True)
    reporter.say = said.append
    metrics, _ = slim(run, "slim.quant.method=none", reporter=reporter)
    record = json.loads(run.artifact("slim", "sensitivity.json").read_text())
    assert (record["metric"], record["samples"]) == ("accuracy", 4)  # of two lines
    assert set(metrics["finetuned"]) == {"accuracy"}
    (line,) = [line for line in said if line.startswith("sensitivity: ")]  # says early how long it will take
    tries = sum(len(group["drops"]) for group in record["groups"])
    assert f"{len(record['groups'])} groups of channels, {tries} measurements on 4 pictures: about " in line


def test_quantizing_alone(run_of):
    run = run_of("rec")
    metrics, recipe = slim(run, "slim.prune.method=none", "slim.quant.exclude=[head]")
    assert set(metrics) == {"float", "calibrated", "quantized"}
    assert json.loads(run.artifact("slim", "plan.json").read_text())["parameters"] == {}
    float_layers = run.manifest("slim")["float_layers"]
    assert any(name.startswith("head") for name in float_layers)
    trained = read_pdparams(run.artifact("train", "best.pdparams"))
    pruned = read_pdparams(run.artifact("slim", "pruned.pdparams"))
    assert all(np.array_equal(value, pruned[name]) for name, value in trained.items())
    clips = json.loads(run.artifact("slim", "clips.json").read_text())
    assert all(clip["start"] >= 0.1 and clip["end"] >= 0.1 - 1e-6 for clip in clips.values())
    log = [json.loads(line) for line in run.artifact("slim", "qat.jsonl").read_text().splitlines()]
    courses = {entry["step"]: entry["clips"] for entry in log if "eval" in entry}
    assert sorted(courses) == [0, 2]
    assert courses[0] == {name: clip["start"] for name, clip in clips.items()} != courses[2]
    assert {name: clip["end"] for name, clip in clips.items()} in courses.values()
    # The exclusion is the run's, not the recipe's of today.
    training = Task(load_recipe(run.recipe_path))
    samples, _ = training.samples("eval")
    assert training.evaluate(load_quantized(run, training), samples) == metrics["quantized"]


ARM = ("slim.prune.method=arm", "slim.prune.multiple=4", "slim.prune.arm.samples=4", "slim.prune.arm.tolerance=0.1",
       "slim.prune.arm.distill.epochs=1")  # fmt: skip
NARROW = {"det": ("slim.prune.arm.neck_width=8", "slim.prune.arm.head_width=8"), "rec": ()}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["det", "rec"])
def test_slimming_for_arm_and_quantizing(run_of, task):
    runs = [run_of(task, name) for name in "ab"]
    counted = []

    def count(net):
        counted.append(sum(value.size for value in state_of(net).values()))
        return {"a-core": counted[-1]}

    metrics, recipe = slim(runs[0], *ARM, *NARROW[task], count=count)
    assert set(metrics) == {"float", "macs_left", "reduced", "distilled", "calibrated", "quantized"}
    assert metrics["macs_left"] < 0.9
    names = "plan.json reduction.json quantization.json pruned.pdparams best.pdparams clips.json distil.jsonl qat.jsonl"
    assert {entry["path"] for entry in runs[0].manifest("slim")["outputs"]} == set(names.split())
    steps = read_json(runs[0].artifact("slim", "reduction.json"))["steps"]
    assert [s["instructions"]["a-core"] for s in steps] == counted
    rewritten = {step["step"].split()[0] for step in steps if "difference" in step}
    assert rewritten == ({"fold_bias", "shuffle_head"} if task == "det" else set())
    training = Task(recipe)
    samples, _ = training.samples("eval")
    before, after = (load_float(runs[0], training, stage) for stage in ("train", "slim"))
    assert training.compare(after, before, samples) == metrics["distilled"]
    assert training.evaluate(load_quantized(runs[0], training), samples) == metrics["quantized"]
    slim(runs[1], *ARM, *NARROW[task])
    assert {**hashes(runs[0]), "reduction.json": 0} == {**hashes(runs[1]), "reduction.json": 0}


def test_what_is_quantized_is_what_the_plan_says(run_of):
    run = run_of("rec")
    _, recipe = slim(run, "slim.prune.method=none", "slim.quant.exclude=[backbone.conv1]", "slim.quant.train.epochs=0")
    plan = Plan.load(run.artifact("slim", "plan.json"))
    assert plan.float_layers == ["backbone.conv1.conv"]
    names = [name for name in state_of(load_quantized(run, Task(recipe))) if name.endswith("_fake_quant_input._scale")]
    assert {name.partition("._layer.")[0] for name in names} == {n for n, p in plan.precision.items() if p == "int8"}


SHAPES = {"det": (1, 3, 64, 64), "rec": (1, 3, 32, 64), "cls": (1, 3, 48, 192)}
HEADS = {"det": DBHead, "rec": CTCHead, "cls": ClsHead}


def gains_of(net):
    """Instructions that layers save: each the same, but depthwise convolutions are dearer in int8."""
    shape = next(SHAPES[task] for task, head in HEADS.items() if isinstance(net.head, head))
    return {
        name: dict.fromkeys(("a53", "a76"), -1000.0 if "bottleneck" in name else 1000.0)
        for name in count_flops(net, shape)
        if "lstm" not in name
    }


NOW = ("slim.quant.method=arm", "slim.quant.train.epochs=0", "slim.quant.max_drop=1", "slim.quant.max_error=9")
FPGM = ("slim.prune.mode=flat", "slim.prune.multiple=4")


@pytest.mark.slow
@pytest.mark.parametrize(("task", "prune"), [("det", FPGM), ("rec", ARM)])
def test_quantizing_where_it_gains(run_of, task, prune):
    run = run_of(task)
    metrics, recipe = slim(run, *prune, *NOW, gains=gains_of)
    record = read_json(run.artifact("slim", "quantization.json"))
    plan = Plan.load(run.artifact("slim", "plan.json"))
    by_layer = {each["layer"]: each for each in record["layers"]}
    assert {name: each["precision"] for name, each in by_layer.items()} == plan.precision
    chosen = {name for name, each in by_layer.items() if each["precision"] == "int8"}
    assert chosen == {name for name, each in by_layer.items() if each["gain"].get("a53", 0) > 0} and len(chosen) > 10
    assert all("bottleneck" not in name for name in chosen)
    assert record["gain"]["a53"] == sum(by_layer[name]["gain"]["a53"] for name in chosen)
    assert (record["before"], record["after"]) == (record["tried"][0]["metric"], record["tried"][-1]["metric"])
    assert (record["max_drop"], record["max_error"]) == (1, 9)
    training = Task(recipe)
    samples, _ = training.samples("eval")
    net = load_quantized(run, training)
    names = {name.partition("._layer.")[0] for name in state_of(net) if name.endswith("_fake_quant_input._scale")}
    assert names == chosen
    assert training.evaluate(net, samples) == metrics["quantized"]
    assert set(run.manifest("slim")["float_layers"]) >= set(plan.float_layers)
    assert run.manifest("slim")["quant"] == "arm"


def test_the_choice_of_layers_is_the_same_each_time_and_told(run_of):
    runs, said = [run_of("cls", name) for name in "ab"], []
    reporter = Reporter(quiet=True)
    reporter.say = said.append
    recipe = load_recipe(runs[0].recipe_path, ["slim.prune.method=none", *NOW])
    for run in runs:
        run_slim(recipe, run, device="cpu", reporter=reporter, price=lambda net: Prices({}, gains_of(net)))
    assert hashes(runs[0]) == hashes(runs[1])
    layers = read_json(runs[0].artifact("slim", "quantization.json"))["layers"]
    chosen = [each for each in layers if each["precision"] == "int8"]
    names = {each["layer"] for each in layers}
    rows = [row for row in map(str.split, said) if names & set(row[1:2])]
    expected = [[str(n), each["layer"], f"{each['error']:.1e}"] for n, each in enumerate(chosen, 1)]
    assert [row[:3] for row in rows] == expected * 2
    assert all(row[3:] == ["a53", "1,000", "a76", "1,000"] for row in rows)
    assert f"in float: {len(layers) - len(chosen)} gains next to nothing" in said


@pytest.mark.slow
def test_files_have_the_chosen_layers_in_int8_and_no_others(run_of):
    run = run_of("rec")
    chosen = ["backbone.blocks.2.expand_conv.conv", "backbone.conv2.conv"]

    def gains(net):
        found = gains_of(net)
        return {name: found[name] for name in chosen}

    _, recipe = slim(run, "slim.prune.method=none", *NOW, gains=gains)
    convert = Convert(formats=["nb"], precisions=["int8"])
    run_convert(recipe.model_copy(update={"convert": convert}), run, say=lambda text: None)
    path = run.artifact("convert", "rec.int8.nb")
    assert named([op for op in read_nb(path).operators if op.int8], layer_names(run, path)) == chosen


@pytest.mark.slow
def test_a_budget_decides_which_layers_are_quantized(run_of):
    run, tried = run_of("rec"), []

    def price(net):
        macs = {name: float(count) for name, count in count_flops(net, SHAPES["rec"]).items() if count}
        gains = {name: {"a53": macs[name] / 2, "a76": macs[name] / 2} for name in gains_of(net) if name in macs}
        return Prices({"a53": macs, "a76": macs}, {name: gain for name, gain in gains.items() if "expand" in name})

    def count(net, int8=()):
        tried.append(int8)
        left = price(net).total["a53"] - price(net).saved(int8)["a53"]
        return {"cortex-a53": int(left), "cortex-a76": int(left)}

    asked = ("slim.prune.multiple=4", "slim.prune.arm.budget.a53=0.75", "slim.quant.max_drop=0", *ARM)
    slim(run, *asked, "slim.quant.method=arm", "slim.quant.train.epochs=0", price=price, count=count)
    search = read_json(run.artifact("slim", "reduction.json"))["steps"][0]["search"]
    plan = Plan.load(run.artifact("slim", "plan.json"))
    assert {name for name, precision in plan.precision.items() if precision == "int8"} == set(search["int8"])
    assert search["int8"] and search["shares"]["a53"] <= 0.75 and tuple(search["int8"]) in tried
    record = read_json(run.artifact("slim", "quantization.json"))
    assert {each["reason"] for each in record["layers"]} <= {"chosen", "the budget is met without it", "cost unknown"}
    assert (record["max_drop"], record["max_error"]) == (None, None)  # nothing is given back


def test_where_nothing_gains_the_network_stays_in_float(run_of):
    run = run_of("rec")
    metrics, recipe = slim(run, "slim.prune.method=none", *NOW, gains=lambda net: {})
    assert set(metrics) == {"float"}
    assert run.manifest("slim")["quant"] == "none"
    assert set(Plan.load(run.artifact("slim", "plan.json")).precision.values()) == {"fp32"}
    assert sha256(run.artifact("slim", "best.pdparams")) == sha256(run.artifact("slim", "pruned.pdparams"))
    with pytest.raises(PpedgeError, match="has no quantized network"):
        load_quantized(run, Task(recipe))


def test_quantizing_by_gains_that_nobody_predicts_is_a_sentence(run_of):
    with pytest.raises(PpedgeError, match="needs predicted instructions"):
        slim(run_of("rec"), "slim.prune.method=none", *NOW)


def test_neither_keeps_the_network(run_of):
    run = run_of("rec")
    metrics, _ = slim(run, "slim.prune.method=none", "slim.quant.method=none")
    assert set(metrics) == {"float"}
    trained = read_pdparams(run.artifact("train", "best.pdparams"))
    best = read_pdparams(run.artifact("slim", "best.pdparams"))
    assert trained.keys() == best.keys()
    assert all(np.array_equal(value, best[name]) for name, value in trained.items())


def test_a_result_is_not_replaced_without_force(run_of):
    run = run_of("rec")
    none = ("slim.prune.method=none", "slim.quant.method=none")
    slim(run, *none)
    before = hashes(run)
    with pytest.raises(PpedgeError, match=r"slim: there already\. Use --force"):
        slim(run, *none)
    assert hashes(run) == before
    slim(run, *none, force=True)


def test_resuming_a_finished_slimming_says_so_and_does_nothing(run_of):
    run, said = run_of("rec"), []
    none = ("slim.prune.method=none", "slim.quant.method=none")
    metrics, _ = slim(run, *none)
    manifest = run.stage("slim") / "manifest.json"
    before = manifest.stat().st_mtime_ns
    reporter = Reporter(quiet=True)
    reporter.say = said.append
    assert slim(run, *none, resume=True, reporter=reporter)[0] == metrics
    assert said == [f"{run.stage('slim')}: the slimming is finished, nothing is left to do"]
    with pytest.raises(
        PpedgeError, match=r"slim: there already\. Use --force"
    ):  # that is not what was asked for before
        slim(run, *none, "slim.max_metric_drop=0.5", resume=True)
    assert manifest.stat().st_mtime_ns == before
    slim(run, *none, resume=True, force=True)
    assert manifest.stat().st_mtime_ns != before


def test_resuming_a_finished_slimming_by_other_data_does_not_take_it_for_that(run_of):
    run, none = run_of("rec"), ("slim.prune.method=none", "slim.quant.method=none")
    slim(run, *none, "data.train=[val.txt]")
    assert run.manifest("slim")["changed"] == {"data.train": ["val.txt"]}
    slim(run, *none, "data.train=[val.txt]", resume=True)
    for changes in ((), ("data.train=[val.txt,train.txt]",), ("data.train=[val.txt]", "seed=3")):
        with pytest.raises(PpedgeError, match=r"slim: there already\. Use --force"):
            slim(run, *none, *changes, resume=True)


@pytest.mark.parametrize(
    ("task", "change", "told"),
    [
        ("det", "det_preprocess.limit_side=64", "det_preprocess.limit_side was 96 and is 64"),
        ("det", "det_postprocess.box_thresh=0.5", "det_postprocess.box_thresh was 0.2 and is 0.5"),
        ("rec", "data.use_space_char=true", "data.use_space_char was false and is true"),
        ("rec", "data.charset=ascii", "data.charset was en_number and is ascii"),
        ("rec", "model.neck.hidden_size=16", "model.neck.hidden_size was 8 and is 16"),
    ],
)
def test_a_network_is_slimmed_as_it_was_trained_to_see_and_to_be_read(run_of, task, change, told):
    """Convert goes by the run's own recipe: what was slimmed, and measured, by another one would not be what ships."""
    run = run_of(task)
    with pytest.raises(PpedgeError) as refused:
        slim(run, "slim.prune.method=none", "slim.quant.method=none", change)
    assert f"{run.path}: was trained with other settings: {told}" in refused.value.message
    assert not run.stage("slim").exists()
    with pytest.raises(PpedgeError, match="was trained with other settings"):
        slim_frontier(load_recipe(run.recipe_path, [change]), run, price=None, reporter=QUIET)
    with pytest.raises(PpedgeError, match="was trained with other settings"):
        run_convert(load_recipe(run.recipe_path, [change]), run)


def test_the_weights_that_a_training_began_with_may_be_gone_when_it_is_slimmed(run_of, tmp_path):
    run = run_of("rec")
    shutil.copyfile(run.stage("train") / "best.pdparams", tmp_path / "first.pdparams")
    recipe = load_recipe(run.recipe_path, ["train.epochs=0", f"train.weights={tmp_path / 'first.pdparams'}"])
    again = Run(tmp_path / "again")
    run_train(recipe, again, device="cpu", reporter=QUIET)
    assert str(tmp_path / "first.pdparams") in [entry["path"] for entry in again.manifest("train")["inputs"]]
    (tmp_path / "first.pdparams").unlink()
    slim(again, "slim.prune.method=none", "slim.quant.method=none")
    assert again.done("slim")


def test_slim_before_train_is_a_sentence(examples, tmp_path):
    run = Run(tmp_path / "run")
    save(examples["rec"].recipe, run.recipe_path)
    with pytest.raises(PpedgeError, match="the stage train has not been run"):
        slim(run)


def test_a_plan_that_does_not_match_is_a_sentence(run_of):
    """Whoever edits the model section after slimming, or the plan itself, is told, not served wrong shapes."""
    run = run_of("det")
    slim(run, "slim.prune.mode=flat", "slim.prune.ratio=0.5", "slim.prune.multiple=4", "slim.quant.method=none")
    other = load_recipe(run.recipe_path, ["model.neck.out_channels=32"])
    with pytest.raises(PpedgeError, match="The pruning plan does not fit the network"):
        load_float(run, Task(other), "slim")
    path = run.stage("slim") / "plan.json"
    plan = json.loads(path.read_text())
    name = next(iter(plan["parameters"]))
    plan["parameters"][name]["shape"][0] += 1
    write_json(path, plan)
    with pytest.raises(PpedgeError, match=r"plan\.json: changed since the stage wrote it"):
        load_float(run, Task(load_recipe(run.recipe_path)), "slim")


def test_a_layer_that_cannot_bear_8_bits_stays_in_float(run_of):
    run, said = run_of("det"), []
    reporter = Reporter(quiet=True)
    reporter.say = said.append
    path = run.artifact("train", "best.pdparams")
    state = state_of(lively(Task(load_recipe(run.recipe_path)).build()))
    block = "backbone.stage0.0."
    uneven, mended = state[f"{block}expand_conv.bn.weight"], state[f"{block}bottleneck_conv.conv.weight"]
    uneven[0] *= 1e4  # one clip for all channels leaves the others less than a step
    mended[0] /= 1e4
    write_pdparams(path, state)
    about = read_json(path.with_name(MANIFEST))
    next(entry for entry in about["outputs"] if entry["path"] == path.name)["sha256"] = sha256(path)
    write_json(path.with_name(MANIFEST), about)
    slim(run, "slim.prune.method=none", "slim.quant.train.epochs=0", reporter=reporter)
    record = read_json(run.artifact("slim", "quantization.json"))
    layer = f"{block}bottleneck_conv.conv"
    (found,) = (each for each in record["layers"] if each["precision"] == "fp32")
    assert (found["layer"], found["reason"]) == (layer, "the output would change too far")
    assert found["error"] > record["max_layer_error"] == 0.01
    assert Plan.load(run.artifact("slim", "plan.json")).float_layers == [layer]
    (told,) = (text for text in said if text.startswith(f"{layer} stays in float: in 8 bits it alone moves the output"))
    assert told.endswith(" % of its variance, where slim.quant.max_layer_error allows 1 %")
    assert float(told.split(" by ")[1].split(" %")[0].replace(",", "")) == pytest.approx(100 * found["error"], rel=0.01)
    slim(run, "slim.prune.method=none", "slim.quant.train.epochs=0", "slim.quant.max_layer_error=null", force=True)
    assert not Plan.load(run.artifact("slim", "plan.json")).float_layers
    assert not (run.stage("slim") / "quantization.json").exists()


def names(samples):
    return [sample.image.name for sample in samples]


@pytest.mark.parametrize("labels", [0, 0.5])
def test_what_learns_from_the_network_alone_is_the_best_where_it_is_nearest(run_of, monkeypatch, labels):
    run, looked_at = run_of("det"), []
    monkeypatch.setattr(pruning, "choose_box_thresh", lambda stage, net, samples: looked_at.append(names(samples)))
    distill = f"{{epochs: 3, batch_size: 1, eval_every: 1, labels: {labels}}}"
    metrics, recipe = slim(run, "slim.prune.method=arm", "slim.prune.arm.samples=2", "slim.prune.multiple=4",
                           "slim.quant.method=none", f"slim.prune.arm.distill={distill}", *NARROW["det"])  # fmt: skip
    log = [json.loads(line) for line in run.artifact("slim", "distil.jsonl").read_text().splitlines()]
    found = [entry["eval"] for entry in log if "eval" in entry]
    training = Task(recipe)
    (eval_, _), (train, _) = training.samples("eval"), training.samples("train")
    assert len(found) == 4 and len(looked_at) == 1
    if labels:
        assert not any(OUTPUT_ERROR in metrics for metrics in found)
        assert looked_at[0] == names(eval_)
    else:
        assert metrics["distilled"] == min(found, key=lambda metrics: metrics[OUTPUT_ERROR])
        assert looked_at[0] == names([*eval_, *train])


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_distillation_learns_from_further_pictures_without_labels(run_of, task, tmp_path):
    run, said = run_of(task), []
    reporter = Reporter(quiet=True)
    reporter.say = said.append
    (folder := tmp_path / "more" / "below").mkdir(parents=True)
    recipe = load_recipe(run.recipe_path)
    samples, _ = Task(recipe).samples("train")
    for number, sample in enumerate(samples[:3]):
        shutil.copyfile(sample.image, folder / f"{number}{sample.image.suffix}")
    distill = f"{{epochs: 1, batch_size: 1, labels: 0, pictures: {folder.parent}}}"
    options = ("slim.prune.method=arm", "slim.prune.arm.samples=2", "slim.prune.multiple=4", "slim.quant.method=none",
               f"slim.prune.arm.distill={distill}")  # fmt: skip
    slim(run, *options, *NARROW.get(task, ()), reporter=reporter)
    steps = [json.loads(line)["step"] for line in run.artifact("slim", "distil.jsonl").read_text().splitlines()]
    assert max(steps) == len(samples) + 3
    assert any(text.startswith("learns from 3 pictures of") for text in said)
    (folder / "bad.png").write_bytes(b"none")
    with pytest.raises(PpedgeError, match=r"bad\.png"):
        slim(run, *options, *NARROW.get(task, ()), force=True)
    slim(run, *options, *NARROW.get(task, ()), reporter=reporter, force=True, skip_bad=True)
    assert said[-1] and any("3 pictures of" in text and "1 left out" in text for text in said)
    with pytest.raises(PpedgeError, match=r"they have no labels, and labels is not 0"):
        load_recipe(run.recipe_path, [options[-1].replace("labels: 0", "labels: 1")])
