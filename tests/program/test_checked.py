"""Applying passes with each one checked: what stays, what is taken back, and why."""

import json
from dataclasses import asdict

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from ppedge.convert import rewriting  # noqa: E402
from ppedge.convert.rewrites import Job, sentences  # noqa: E402
from ppedge.errors import PpedgeError  # noqa: E402
from ppedge.files.inference_model import InferenceModel  # noqa: E402
from ppedge.program import passes  # noqa: E402
from ppedge.program.changes import Change  # noqa: E402
from ppedge.program.program import Program  # noqa: E402
from program.tiny import exported  # noqa: E402


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    def make():
        return {"conv": paddle.nn.Conv2D(3, 4, 3, padding=1), "one": paddle.nn.Conv2D(4, 1, 1)}

    return exported(
        tmp_path_factory.mktemp("checked"), make, lambda net, x: net.one(paddle.nn.functional.relu(net.conv(x)))
    )


def weights_of(program):
    """In the place of running a program: what its weights are, which a pass may change."""
    return [program.weights[name] for name in sorted(program.weights)]


def scaled(factor):
    def run(program):
        name = min(program.weights)
        program.set_weight(name, program.weights[name] + np.float32(factor))
        return [Change("made-up", name, "scaled")]

    return run


@pytest.fixture
def apply(files, monkeypatch):
    """Apply made-up passes to a program."""

    def run(*made_up, outputs=weights_of, price=lambda program: {}):
        named = {f"pass {k}": one for k, one in enumerate(made_up)}
        monkeypatch.setattr(passes, "PASSES", named)
        return passes.rewrite_checked(Program.read(files), list(named), outputs, price)

    return run


def test_a_pass_that_moves_an_output_is_taken_back_and_the_next_goes_on(apply, files):
    program, _, steps = apply(scaled(1e-3), scaled(1e-5), lambda program: [])
    assert [(one.name, bool(one.refused)) for one in steps] == [("pass 0", True), ("pass 1", False)]
    assert "an output would differ by 0.001" in steps[0].refused
    first = min(program.weights)
    moved = program.weights[first] - Program.read(files).weights[first]
    assert np.abs(moved).max() == pytest.approx(1e-5, rel=0.1) == steps[1].difference


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda array: array * np.float32("nan"), "an output would differ by nan"),
        (lambda array: array[:-1], "an output would differ by inf"),
    ],
)
def test_what_is_no_number_or_of_another_shape_is_taken_back(apply, change, told):
    def broken(program):
        name = max(program.weights)
        program.set_weight(name, change(program.weights[name]))
        return [Change("made-up", name, "broken")]

    assert told in apply(broken)[2][0].refused


def test_a_pass_that_does_not_know_a_form_is_taken_back(apply):
    def ignorant(program):
        program.weights.clear()
        return [Change("made-up", program.operators[0].input("Nothing"), "never")]

    program, _, (step,) = apply(ignorant)
    assert "does not know a form" in step.refused and program.weights


def test_what_costs_more_on_every_core_is_taken_back(apply):
    prices = iter([{"a": 5.0, "b": 5.0}, {"a": 6.0, "b": 4.0}, {"a": 7.0, "b": 5.0}])
    _, before, steps = apply(scaled(0), scaled(0), price=lambda program: next(prices))
    assert before == {"a": 5, "b": 5} and steps[0].prices == {"a": 6, "b": 4}
    assert [one.refused for one in steps] == ["", "it would cost more on every core"]


def test_what_paddle_cannot_run_is_taken_back(apply):
    def outputs(program):
        if min(weights_of(program)[0].flat) > 5:
            raise PpedgeError("it died")
        return weights_of(program)

    assert apply(scaled(10), outputs=outputs)[2][0].refused == "the program would not work any more: it died"


@pytest.mark.parametrize(("mended", "cost", "stays"), [(True, 4.0, True), (True, 6.0, False), (False, 4.0, False)])
def test_what_cannot_be_converted_stays_if_a_later_pass_puts_it_right(apply, files, mended, cost, stays):
    first = Program.read(files).weights

    def price(program):
        moved = [float((program.weights[name] - first[name]).max()) for name in (min(first), max(first))]
        if moved[0] and not moved[1]:
            raise PpedgeError("opt would misread it")
        return {"a": cost if any(moved) else 5.0}

    def mending(program):
        name = max(program.weights)
        if not mended or program.weights[min(first)].flat[0] == first[min(first)].flat[0]:
            return []
        program.set_weight(name, program.weights[name] + np.float32(1e-5))
        return [Change("made-up", name, "mended")]

    program, before, steps = apply(scaled(1e-5), mending, price=price)
    assert before == {"a": 5.0}
    changed = [name for name in (min(first), max(first)) if (program.weights[name] != first[name]).any()]
    assert changed == ([min(first), max(first)] if stays else [])
    if stays:
        assert [(one.refused, one.prices) for one in steps] == [("", {"a": 5.0}), ("", {"a": 4.0})]
    else:
        assert [one.refused for one in steps] == ["the program could not be converted any more: opt would misread it"]


def job_of(files, tmp_path, form="nb"):
    pictures = tmp_path / "pictures.npz"
    np.savez(pictures, np.full((1, 3, 32, 32), 0.5, np.float32))
    return Job(str(files.model.with_suffix("")), str(tmp_path / "out"), str(pictures), "det", 32, form, "fp32", [],
               (64, 64), "exact")  # fmt: skip


@pytest.mark.parametrize("form", ["nb", "onnx"])
def test_a_job_leaves_a_program_and_what_was_done(files, tmp_path, form):
    jobs = tmp_path / "jobs.json"
    jobs.write_text(json.dumps([asdict(job_of(files, tmp_path, form))]))
    rewriting.main([str(jobs)])
    report = json.loads((tmp_path / "out.json").read_text())
    told = sentences(report)
    InferenceModel.at(tmp_path / "out").check()
    name = "plain-bias" if form == "nb" else "fold-before"
    assert report["note"] == ""
    assert any(line.startswith(f"{name}, 2 places: largest difference ") for line in told)
    assert not any(line.startswith("one-scale") for line in told)  # the bias of one channel is opt's to join
    # ONNX is made by passes that gain there, and has no price.
    assert ("predicted cortex-a53" in told[-1]) == (form == "nb") == (report["before"] != {})


def test_a_program_with_control_flow_is_left_with_a_sentence(files, tmp_path):
    description = Program.read(files).described()
    description.blocks.add(idx=1, parent_idx=0)
    other = InferenceModel.at(tmp_path / "net")
    other.model.write_bytes(description.SerializeToString())
    other.params.write_bytes(files.params.read_bytes())
    report = rewriting.rewrite_job(job_of(other, tmp_path))
    assert len(sentences(report)) == 1 and "not rewritten" in report["note"] and "control flow" in report["note"]
    assert not (tmp_path / "out.pdmodel").exists()


def test_a_program_that_no_pass_understands_is_left_with_a_sentence(files, tmp_path, monkeypatch):
    monkeypatch.setattr(rewriting, "PASSES", {})
    assert sentences(rewriting.rewrite_job(job_of(files, tmp_path))) == ["no rewrite applies to it"]
