"""Networks that are trained together: two students that learn from each other, and a frozen teacher."""

import json

import numpy as np
import paddle
import pytest

from courses import BoomError, course
from ppedge.errors import PpedgeError
from ppedge.models.weights import read_pdparams, state_of, write_pdparams
from ppedge.progress import Reporter
from ppedge.slim.channels.groups import trace
from ppedge.storage import sha256
from ppedge.train.course import BEST, LAST, METRICS
from ppedge.train.loop import fit
from ppedge.train.losses.base import Term, TotalLoss
from ppedge.train.losses.mutual import DMLLoss, MSELoss
from ppedge.train.recorder import Recorder
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import tiny_recipe

MUTUAL = [{"name": "DB"}, {"name": "DML", "between": ["net", "twin"], "at": "maps", "weight": 2.0},
          {"name": "MSE", "between": ["net", "twin"], "at": "neck"}]  # fmt: skip


def twins(data, **train):
    return tiny_recipe("det", data, train={"peers": {"twin": {}}, "losses": MUTUAL, **train})


def test_two_students_learn_from_labels_and_from_each_other(det_data, tmp_path):
    whole = course(twins(det_data), tmp_path)
    before = {name: state_of(net) for name, net in whole.trainee.networks().items()}
    assert any(not np.array_equal(before["net"][n], before["twin"][n]) for n in before["net"]), "seeds of their own"
    fit(whole)
    for name, net in whole.trainee.networks().items():
        assert any(not np.array_equal(value, state_of(net)[n]) for n, value in before[name].items()), name
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    parts = {"loss_DB_net", "loss_DB_twin", "loss_DML_net_twin", "loss_MSE_net_twin"}
    assert all(parts <= step.keys() for step in steps)
    assert all(step["loss"] == pytest.approx(sum(step[part] for part in parts), rel=1e-5) for step in steps)
    assert read_pdparams(tmp_path / BEST).keys() == state_of(whole.trainee.net).keys()  # the twin does not ship


def test_texts_too_long_for_a_guide_are_left_out_and_counted(rec_data, tmp_path, monkeypatch):
    said, reporter = [], Reporter(quiet=True)
    monkeypatch.setattr(reporter, "say", said.append)
    losses = [{"name": "CTC"}, {"name": "SAR", "of": ["net.SARHead"]}]
    guide = {"name": "SARHead", "enc_dim": 8, "max_text_length": 12}
    recipe = tiny_recipe("rec", rec_data, train={"guides": [guide], "losses": losses, "epochs": 1, "max_steps": 1})
    guided = course(recipe, tmp_path, reporter=reporter)
    assert guided.trainee.longest_text == 10
    long = [sample for sample in guided.train if len(sample.text) > 10]
    assert 0 < len(long) < len(guided.train)
    fit(guided)
    told = f"{len(long)} of {len(guided.train)} lines are left out: they are too long (the guides take 10 characters)"
    assert any(told in line for line in said)


def test_a_frozen_teacher_stays_as_it_is_and_teaches(det_data, tmp_path):
    teacher = Task(tiny_recipe("det", det_data, seed=11)).build()
    write_pdparams(tmp_path / "teacher.pdparams", state_of(teacher))
    recipe = tiny_recipe("det", det_data, train={
        "peers": {"teacher": {"weights": str(tmp_path / "teacher.pdparams"), "frozen": True}},
        "losses": [{"name": "DB"}, {"name": "DML", "between": ["net", "teacher"], "at": "maps"}],
    })  # fmt: skip
    whole = course(recipe, tmp_path / "run")
    fit(whole)
    after = state_of(whole.trainee.networks()["teacher"])
    assert all(np.array_equal(value, after[name]) for name, value in state_of(teacher).items())
    lines = [json.loads(line) for line in (tmp_path / "run" / METRICS).read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert all({"loss_DB_net", "loss_DML_net_teacher"} <= step.keys() for step in steps)
    assert not any("loss_DB_teacher" in step for step in steps)


@pytest.mark.parametrize(
    ("head", "term", "maps"),
    [
        ("DBHead", {"name": "DML", "between": ["net", "teacher"], "at": "maps"}, 1),
        ("DBHead", {"name": "Dilated", "from": "teacher"}, 1),
        ("DBHead", {"name": "MSE", "between": ["net", "teacher"], "at": "neck"}, 1),
        ("PFHeadLocal", {"name": "Dilated", "from": "teacher"}, 1),
        ("DBHead", {"name": "DB", "of": ["net", "teacher"]}, 3),
        ("DBHead", {"name": "Dilated", "from": "net", "to": ["teacher"]}, 3),
        ("DBHead", {"name": "MSE", "between": ["net", "teacher"], "at": "head.thresh.conv2"}, 3),
    ],
)
def test_a_teacher_runs_no_threshold_head_unless_a_loss_reads_it(det_data, head, term, maps):
    model = {**tiny_recipe("det", det_data).model_dump(mode="json")["model"], "head": {"name": head}}
    recipe = tiny_recipe("det", det_data, model=model, train={
        "peers": {"teacher": {"frozen": True}},
        "losses": [term, {"name": "DML", "between": ["net", "teacher"], "at": "maps"}],
    })  # fmt: skip
    task = Task(recipe)
    trainee = build_trainee(task, task.build())
    trainee.train()
    trainee.begin()
    outputs = trainee({"image": paddle.zeros([1, 3, 64, 64])})
    assert {name: given["maps"].shape[1] for name, given in outputs.items()} == {"net": 3, "teacher": maps}


def test_the_network_is_left_as_it_would_be_without_its_peers(det_data, tmp_path):
    """Nothing is hooked on it, and whoever traces it finds what a fresh one has."""
    whole = course(twins(det_data, epochs=1, max_steps=1), tmp_path)
    fit(whole)
    net = whole.trainee.net
    for layer in net.sublayers(include_self=True):
        assert not layer._forward_post_hooks and not layer._forward_pre_hooks
    assert trace(net, (1, 3, 64, 64)) == trace(Task(twins(det_data)).build(), (1, 3, 64, 64))


def test_slimming_learns_from_labels_alone(det_data):
    """Terms between networks are the train stage's own."""
    assert [term.name for term in Task(twins(det_data)).loss.terms] == ["DB"]


def test_terms_of_one_name_are_all_counted():
    """Two terms that differ only by what they read, or not even by that, are summed and told one by one."""

    def term(at, value):
        return Term("MSE", ("net", "twin"), at, 1.0, lambda *_: {"loss": paddle.to_tensor(value)})

    found = TotalLoss([term("neck", 1.0), term("backbone", 2.0), term("neck", 4.0)])({"net": {}, "twin": {}}, {})
    assert float(found["loss"]) == 7
    parts = {name: float(value) for name, value in found.items() if name != "loss"}
    assert parts == {"loss_MSE_net_twin_neck_0": 1, "loss_MSE_net_twin_backbone": 2, "loss_MSE_net_twin_neck_2": 4}


def test_dml_of_maps_is_the_formula():
    rng = np.random.default_rng(0)
    p, q = rng.uniform(0.05, 0.95, (2, 2, 4, 6))
    ratio = (q + 1e-5) / (p + 1e-5)
    wanted = (q * np.log(ratio + 1e-5) + p * np.log(1 / ratio + 1e-5)).mean() / 2
    maps = [{"maps": paddle.to_tensor(np.stack([m, m, m], 1).astype(np.float32))} for m in (p, q)]
    assert float(DMLLoss("maps")(*maps, {})["loss"]) == pytest.approx(wanted, rel=1e-4)
    assert float(DMLLoss("maps")(maps[0], maps[0], {})["loss"]) == pytest.approx(0, abs=1e-5)


def test_dml_of_logits_is_summed_over_columns_and_classes():
    rng = np.random.default_rng(1)
    given = rng.standard_normal((2, 3, 5, 7)).astype(np.float32)
    p, q = np.exp(given) / np.exp(given).sum(-1, keepdims=True)
    wanted = ((p * np.log(p / q)).sum() + (q * np.log(q / p)).sum()) / 2 / 3
    logits = [{"logits": paddle.to_tensor(one)} for one in given]
    assert float(DMLLoss("logits")(*logits, {})["loss"]) == pytest.approx(wanted, rel=1e-4)


def test_mse_compares_one_array_with_one():
    x, y = paddle.ones([2, 3]), paddle.zeros([2, 3])
    assert float(MSELoss("neck")({"neck": x}, {"neck": y}, {})["loss"]) == 1
    with pytest.raises(PpedgeError, match=r"MSE at backbone compares 2 maps with \[2, 3\]\."):
        MSELoss("backbone")({"backbone": [x, x]}, {"backbone": y}, {})


def test_a_place_that_is_no_layer_is_a_sentence(det_data, tmp_path):
    losses = [{"name": "DB"}, {"name": "MSE", "between": ["net", "twin"], "at": "nekc"}]
    with pytest.raises(PpedgeError, match=r"train\.losses: nekc is no layer of the network\. At its top are backbone"):
        fit(course(twins(det_data, losses=losses), tmp_path))


def test_a_recorder_notes_outputs_and_inputs_and_lets_go(det_data):
    net = Task(tiny_recipe("det", det_data)).build()
    recorder = Recorder(net, ["neck", "head.binarize.conv_bn1:input", "backbone"])
    net(paddle.rand([1, 3, 64, 64]))
    seen = recorder.take()
    assert seen["neck"].shape == [1, 24, 16, 16] and len(seen["backbone"]) == 4
    assert seen["head.binarize.conv_bn1:input"].shape == [1, 6, 16, 16]
    assert recorder.take() == {}
    recorder.remove()
    net(paddle.rand([1, 3, 64, 64]))
    assert recorder.take() == {}


def test_guides_learn_beside_each_network_that_is_trained(rec_data, tmp_path):
    """Two recognisers with a second head each, which learn from labels and from each other, heads and guides alike."""
    recipe = tiny_recipe("rec", rec_data, train={
        "peers": {"twin": {}},
        "guides": [{"name": "LinearGuide"}],
        "losses": [
            {"name": "CTC"},
            {"name": "CTC", "of": ["net.LinearGuide", "twin.LinearGuide"], "weight": 0.5},
            {"name": "DML", "between": ["net.LinearGuide", "twin.LinearGuide"], "at": "logits"},
        ],
    })  # fmt: skip
    whole = course(recipe, tmp_path)
    before = state_of(whole.trainee)
    fit(whole)
    after = state_of(whole.trainee)
    heads = [name for name in after if name.startswith("heads.")]
    assert len(heads) == 4 and not any(np.array_equal(before[name], after[name]) for name in heads)
    steps = [line for line in map(json.loads, (tmp_path / METRICS).read_text().splitlines()) if "loss" in line]
    assert {name for name in steps[0] if name.startswith("loss_")} == {
        "loss_CTC_net", "loss_CTC_twin", "loss_CTC_net.LinearGuide", "loss_CTC_twin.LinearGuide",
        "loss_DML_net.LinearGuide_twin.LinearGuide",
    }  # fmt: skip
    assert read_pdparams(tmp_path / BEST).keys() == state_of(Task(recipe).build()).keys()


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_a_frozen_teacher_runs_as_in_use_or_as_in_training(det_data, tmp_path, batch_statistics):
    """Its parameters stay, get no gradients, and cost no backward; its running statistics move only if asked for."""
    teacher = {"frozen": True, "batch_statistics": batch_statistics}
    losses = [{"name": "DB"}, {"name": "Dilated", "from": "teacher"}]
    whole = course(tiny_recipe("det", det_data, train={"peers": {"teacher": teacher}, "losses": losses}), tmp_path)
    peer = whole.trainee.networks()["teacher"]
    before = state_of(peer)
    whole.trainee.train()
    whole.trainee.begin()
    maps = whole.trainee({"image": paddle.rand([2, 3, 64, 64])})["teacher"]["maps"]
    whole.trainee.end()
    assert maps.stop_gradient
    after = state_of(peer)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    running = {name for name in before if name.endswith(("._mean", "._variance")) and "thresh" not in name}
    assert moved == (running if batch_statistics else set())
    fit(whole)
    assert all(np.array_equal(value, state_of(peer)[n]) for n, value in before.items() if n.endswith("weight"))


def test_a_killed_cml_training_ends_with_the_same_bytes(det_data, tmp_path):
    """Two students and a frozen teacher whose running statistics move: the checkpoint has all of it."""
    recipe = tiny_recipe("det", det_data, train={
        "peers": {"twin": {}, "teacher": {"frozen": True, "batch_statistics": True}},
        "losses": [{"name": "DB"}, MUTUAL[1], {"name": "Dilated", "from": "teacher", "to": ["net", "twin"]}],
    })  # fmt: skip
    fit(course(recipe, tmp_path / "whole"))
    with pytest.raises(BoomError):
        fit(course(recipe, tmp_path / "cut", die_at=3))
    names = read_pdparams(tmp_path / "cut" / LAST)
    for network in ("net/net.", "net/peers.twin.", "net/peers.teacher.", "optimizer/net.", "optimizer/peers.twin."):
        assert sum(name.startswith(network) for name in names) > 100, network
    fit(course(recipe, tmp_path / "cut", resume=True))
    assert sha256(tmp_path / "cut" / BEST) == sha256(tmp_path / "whole" / BEST)
    kept = [read_pdparams(tmp_path / folder / LAST) for folder in ("whole", "cut")]
    assert all(np.array_equal(kept[0][n], kept[1][n]) for n in kept[0] if n != "position/metrics_bytes")
    teacher = state_of(course(recipe, tmp_path / "fresh").trainee.networks()["teacher"])
    moved = [name for name, value in teacher.items() if not np.array_equal(kept[0][f"net/peers.teacher.{name}"], value)]
    assert moved and all(name.endswith(("._mean", "._variance")) for name in moved)


def test_a_frozen_peer_has_a_guide_where_a_loss_names_it(rec_data, tmp_path):
    """It teaches what its guide says, and the guide learns as little as the peer."""
    recipe = tiny_recipe("rec", rec_data, train={
        "peers": {"teacher": {"frozen": True}},
        "guides": [{"name": "LinearGuide"}],
        "losses": [
            {"name": "CTC"},
            {"name": "KL", "from": "teacher.LinearGuide", "to": ["net.LinearGuide"]},
            {"name": "CTCLogits", "from": "teacher"},
        ],
    })  # fmt: skip
    whole = course(recipe, tmp_path)
    before = state_of(whole.trainee)
    fit(whole)
    after = state_of(whole.trainee)
    heads = {name: not np.array_equal(before[name], after[name]) for name in after if name.startswith("heads.")}
    assert heads == {"heads.0.fc.weight": True, "heads.0.fc.bias": True, "heads.1.fc.weight": False,
                     "heads.1.fc.bias": False}  # fmt: skip
    steps = [line for line in map(json.loads, (tmp_path / METRICS).read_text().splitlines()) if "loss" in line]
    assert {name for name in steps[0] if name.startswith("loss_")} == {
        "loss_CTC_net", "loss_KL_net.LinearGuide_teacher.LinearGuide", "loss_CTCLogits_net_teacher",
    }  # fmt: skip


def test_a_recogniser_is_distilled_as_ppocrv4_is(rec_data, tmp_path):
    """From a frozen teacher's guide and its columns; the teacher and its guide stay, and neither guide ships."""
    recipe = tiny_recipe("rec", rec_data, train={
        "peers": {"teacher": {"frozen": True, "batch_statistics": True}},
        "guides": [{"name": "NRTRHead", "nrtr_dim": 32}],
        "losses": [
            {"name": "CTC"},
            {"name": "NRTR", "of": ["net.NRTRHead"], "smoothing": 0.0, "padding": True},
            {"name": "DKD", "from": "teacher.NRTRHead", "weight": 0.1, "padding": True},
            {"name": "CTCLogits", "from": "teacher"},
        ],
    })  # fmt: skip
    whole = course(recipe, tmp_path)
    before = {name: value for name, value in state_of(whole.trainee).items() if name.startswith("heads.")}
    fit(whole)
    after = state_of(whole.trainee)
    moved = {name.split(".")[1] for name, value in before.items() if not np.array_equal(value, after[name])}
    assert moved == {"0"}, "the student's guide alone"
    steps = [line for line in map(json.loads, (tmp_path / METRICS).read_text().splitlines()) if "loss" in line]
    assert {name for name in steps[0] if name.startswith("loss_")} == {
        "loss_CTC_net", "loss_NRTR_net.NRTRHead", "loss_DKD_net.NRTRHead_teacher.NRTRHead",
        "loss_CTCLogits_net_teacher",
    }  # fmt: skip
    assert read_pdparams(tmp_path / BEST).keys() == state_of(Task(recipe).build()).keys()
