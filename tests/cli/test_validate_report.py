"""What ``ppedge validate`` prints of a report."""

import pytest

from ppedge.cli.validate import report_lines
from ppedge.validate.report import what_ran_where


def model(**changes):
    return {
        "file": "det.int8.nb", "precision": "int8", "baseline": False, "cpu": "cortex-a76", "bytes": 715710,
        "runtime": "paddlelite 2.13", "input_shape": [1, 3, 320, 320], "instructions": {"total": 128_500_000},
        "ratios": {"total": 0.727}, "load_instructions": 15_400_000, "memory_bytes": 24_200_000,
        "reference": "paddle", "candidate": "arm-paddlelite", "samples": 2,
        "tensors": {"identical": False, "max_difference": 0.61, "mean_difference": 2.7e-4, "cosine": 0.99939,
                    "snr_db": 29.2},
        "agreement": {"share": 0.9591, "reference": 85, "candidate": 86, "matched": 82},
        "metric": {"main": "hmean", "reference": {"hmean": 0.9697}, "candidate": {"hmean": 0.9518},
                   "difference": {"hmean": {"value": -0.0179, "low": -0.0415, "high": 0.0}}},
        "shapes": [{"name": "first", "max_difference": 1e-3}, {"name": "tall", "max_difference": None}],
        "estimated_latency": None, "blame": None,
        "different": [{"picture": "a.jpg", "where": "val.txt:1", "reference": 36, "candidate": 37, "matched": 34}] * 7,
        **changes,
    }  # fmt: skip


def lines(*models, **others):
    row = {"gate": "max_metric_drop", "model": "det.int8.nb", "cpu": "cortex-a76", "value": 0.0179, "limit": 0.005,
           "note": "95% interval +0.0000 to +0.0415", "by_chance": False, "passed": False}  # fmt: skip
    features = {"cortex-a76": ["fp", "asimddp"], "max": None}
    not_run = [{"file": "det.fp16.nb", "cpu": "cortex-a76", "reason": "no kernels"}]
    return report_lines(
        {
            "features": features,
            "models": list(models),
            "not_run": not_run,
            "gates": [row],
            "task": "det",
            "pictures": "eval",
            **others,
        }
    )


def test_a_detector():
    text = lines(model(file="baseline/det.fp32.nb", baseline=True, ratios=None), model())
    for wanted in (
        "det.int8.nb           cortex-a76  715,710           128.5  0.727       15.4     24.2",
        "  outputs: largest difference 0.61, mean 0.00027, signal to noise 29.2 dB, cosine 0.99939",
        "  boxes: 85 -> 86, 82 the same at IoU 0.9 (0.9591)",
        "  hmean: 0.9697 -> 0.9518, -0.0179 (-0.0415 to +0.0000)",
        "  largest difference by shape: first 0.001, tall not finite",
        "  differs: val.txt:1: 36 -> 37 boxes, 34 the same",
        "  differs: 2 more, see report.json",
        "cortex-a76: fp asimddp",
        "max: features not known to ppedge",
        "not run: det.fp16.nb on cortex-a76: no kernels",
        "gates: 0 passed, 1 failed",
        "  FAILED  max_metric_drop 0.0179 > 0.005 (det.int8.nb on cortex-a76; 95% interval +0.0000 to +0.0415)",
    ):
        assert wanted in text
    assert sum(line.startswith("det.int8.nb on") for line in text) == 1
    assert not any(line.startswith("baseline/det.fp32.nb on") for line in text)


@pytest.mark.parametrize(("samples", "told"), [(2, True), (29, True), (30, False)])
def test_what_few_pictures_say_is_told(samples, told):
    metric = {**model()["metric"], "interval": [0.7, 1.0]}
    text = lines(model(samples=samples, metric=metric), task="det", pictures="test")
    sentence = (
        f"note: {samples} pictures of data.test say little: hmean is 0.9518, and as many others of their kind may well "
        "give 0.700 to 1.000 (95% interval); take more with --limit, or name more in data.test"
    )
    assert (sentence in text) == told


def test_many_lines_of_few_pictures_are_told():
    metric = {**model()["metric"], "main": "exact", "candidate": {"exact": 0.9}}
    metric |= {"reference": {"exact": 0.9}, "difference": {"exact": {"value": 0.0, "low": None, "high": None}}}
    text = lines(model(samples=161, of_pictures=3, metric=metric), task="rec", pictures="test")
    assert any(line.startswith("note: 161 lines of 3 pictures of data.test say little") for line in text)
    text = lines(model(samples=161, metric=metric), task="rec", pictures="test")
    assert not any("say little" in line for line in text), "a report of an earlier version"


@pytest.mark.parametrize(
    ("engine", "more"),
    [
        ("onnxruntime", "onnxruntime's kernels; those of Paddle Lite, which a phone runs, differ: `ppedge cost RUN` "
                        "predicts what they take."),
        ("paddlelite", "Paddle Lite's kernels; `ppedge slim --quant arm` leaves in float what does not gain by 8 "
                       "bits."),
    ],
)  # fmt: skip
def test_8_bits_that_cost_more_than_float_are_told(engine, more):
    def counted(precision, cpu, millions, **others):
        return model(file=f"det.{precision}.nb", precision=precision, cpu=cpu,
                     instructions={"total": millions * 1_000_000}, **others)  # fmt: skip

    models = [
        counted("fp32", "cortex-a53", 1, baseline=True),
        counted("fp32", "cortex-a53", 200),
        counted("int8", "cortex-a53", 150),
        counted("fp32", "cortex-a76", 100),
        counted("int8", "cortex-a76", 111),
    ]
    told = [line for line in lines(*models, engine=engine) if line.startswith("In 8 bits")]
    assert told == [f"In 8 bits the network takes 1.11 times the instructions of float on cortex-a76, by {more}"]


def test_gates_that_hold_are_counted_and_bury_nothing():
    row = {
        "gate": "max_difference",
        "model": "det.fp32.nb",
        "cpu": "max",
        "limit": 0.001,
        "note": "",
        "by_chance": False,
    }
    gates = [{**row, "value": 1e-5, "passed": True}] * 100 + [{**row, "value": 0.5, "passed": False}]
    chance = {**row, "gate": "max_metric_drop", "value": 0.02, "passed": True, "by_chance": True}
    text = report_lines({"features": {}, "models": [], "not_run": [], "gates": [*gates, chance]})
    assert text[-3:] == [
        "gates: 101 passed, 1 failed",
        "  FAILED  max_difference 0.5 > 0.001 (det.fp32.nb on max)",
        "  passed, may be chance  max_metric_drop 0.02 > 0.001 (det.fp32.nb on max)",
    ]


def test_a_recogniser():
    different = {
        "picture": "a.jpg", "where": "val.txt:3", "label": "AB", "reference": {"text": "AB"}, "candidate": {"text": "A"}
    }  # fmt: skip
    text = lines(
        model(
            agreement={"share": 0.95, "lines": 20, "equal": 19},
            tensors={"identical": True},
            different=[different],
            metric={"main": "exact", "reference": {"exact": 1.0}, "candidate": {"exact": 0.95},
                    "difference": {"exact": {"value": -0.05, "low": None, "high": None}}},
        )
    )  # fmt: skip
    assert "  outputs: identical" in text
    assert "  strings: 19 of 20 equal (0.9500)" in text
    assert "  exact: 1.0000 -> 0.9500, -0.0500" in text
    assert "  differs: val.txt:3: 'AB' -> 'A', labelled 'AB'" in text


@pytest.mark.parametrize("ratios", [None, {"total": 0.5}])
def test_a_run_that_was_not_slimmed_has_no_ratio(ratios):
    row = lines(model(ratios=ratios))[4].split()
    assert ("-" in row) == (ratios is None)


def test_estimates_have_their_band_beside_them():
    phone = {"soc": "Snapdragon 855", "core": "Cortex-A76", "milliseconds": 21.9}
    wanted = "det.int8.nb on cortex-a76: estimated, one thread, x1.5 either way: Snapdragon 855 (Cortex-A76) 22 ms"
    assert wanted in lines(model(estimated_latency={"band": 1.5, "phones": [phone]}))
    assert not any(" ms" in line for line in lines(model()))


def test_a_phone():
    timed = {"file": "det.fp32.nb", "ms": {"avg": 32.723, "min": 32.577, "max": 32.895}}
    failed = {"file": "det.fp16.nb", "error": "no kernels"}
    device = {"model": "Test Phone", "soc": "sm8150", "android": "13", "models": [timed, failed]}
    assert lines(model(), device=device)[-3:] == [
        "on Test Phone (sm8150, Android 13), one thread:",
        "  det.fp32.nb: 32.72 ms (32.58 to 32.90)",
        "  det.fp16.nb: no kernels",
    ]


def test_a_table_of_arm_says_which_files_ran():
    sentence = what_ran_where({"engine": "onnxruntime", "cpus": ["cortex-a76", "cortex-a53"]})
    assert sentence.startswith(
        "on ARM, and instructions: the ONNX files by onnxruntime on an emulated cortex-a76; no .nb "
    )
    sentence = what_ran_where({"engine": "paddlelite", "cpus": ["cortex-a53"]})
    assert sentence == "on ARM, and instructions: the .nb files by Paddle Lite on an emulated cortex-a53."
    assert what_ran_where({"engine": "onnxruntime", "cpus": []}) == ""
