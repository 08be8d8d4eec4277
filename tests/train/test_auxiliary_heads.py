"""PP-OCRv6's heads on the levels of a detector's neck: they learn beside the own one, and are gone afterwards."""

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.guides.aux_db import AuxDBHead
from ppedge.models.weight_parts import of_guide, without_guides
from ppedge.models.weights import state_of, write_pdparams
from ppedge.recipe.road import Recipe
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import recipe_dict, tiny_recipe

MODEL = {
    "backbone": {"name": "PPLCNetV4", "model_size": "tiny"},
    "neck": {"name": "RepLKFPN", "out_channels": 16, "dilated_kernel_size": 5},
    "head": {"name": "DBHead"},
}
WEIGHTS = {"maps_p4": 0.2, "maps_p3": 0.3, "maps_p2": 0.4}
FOCAL = {"name": "DB", "main": "dice_focal", "focal_gamma": 2.5}
TRAIN = {
    "guides": [{"name": "AuxDBHead"}],
    "losses": [FOCAL, *({**FOCAL, "of": ["net.AuxDBHead"], "at": at, "weight": w} for at, w in WEIGHTS.items())],
}
NAMES = [
    f"head.aux_{kind}_{level}.{layer}"
    for level in ("p4", "p3", "p2")
    for kind in ("binarize", "thresh")
    for layer in ("conv1.weight", "conv_bn1.weight", "conv2.bias", "conv_bn2._mean", "conv3.weight")
]


def trainee_of(recipe, said=None):
    task = Task(recipe)
    paddle.seed(1)
    return build_trainee(task, task.build(), said.append if said is not None else lambda text: None)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    maps = {
        name: paddle.to_tensor((rng.random((2, 64, 64)) < 0.3).astype(np.float32))
        for name in ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")
    }
    return {"image": paddle.to_tensor(rng.standard_normal((2, 3, 64, 64), dtype=np.float32)), **maps}


def test_each_level_has_maps_and_a_weighted_term(det_data, batch):
    trainee = trainee_of(tiny_recipe("det", det_data, model=MODEL, train=TRAIN))
    trainee.train()
    trainee.begin()
    outputs = trainee(batch)
    given = outputs["net.AuxDBHead"]
    assert given.keys() == WEIGHTS.keys() and all(maps.shape == [2, 3, 64, 64] for maps in given.values())
    parts = trainee.losses(outputs, batch, 0.0)
    parts["loss"].backward()
    trainee.end()
    own = {name: float(value) for name, value in parts.items() if name != "loss"}
    assert len(own) == 4 and float(parts["loss"]) == pytest.approx(sum(own.values()), rel=1e-6)
    for term in trainee.loss.terms[1:]:
        plain = float(term.loss(given, batch)["loss"])
        assert own[f"loss_DB_net.AuxDBHead_{term.at}"] == pytest.approx(WEIGHTS[term.at] * plain, rel=1e-6)
    [head] = trainee.heads
    assert all(np.abs(parameter.grad.numpy()).sum() > 0 for parameter in head.parameters() if parameter.ndim == 4)


def test_the_levels_differ_in_their_places_and_sizes():
    """Each pair of heads reads its own level, brought to a quarter of the picture's size."""
    head = AuxDBHead([8, 8, 8, 8])
    head.eval()
    levels = [paddle.rand([1, 8, 16 // 2**place, 24 // 2**place]) for place in range(4)]
    before = head(levels, {})
    for place, name in enumerate(("maps_p2", "maps_p3", "maps_p4")):
        changed = list(levels)
        changed[place] = levels[place] + 1
        after = head(changed, {})
        assert before[name].shape == [1, 3, 64, 96]
        differs = {key for key in after if np.abs((after[key] - before[key]).numpy()).max() > 1e-6}
        assert differs == {name}


def test_they_start_from_a_checkpoint_of_paddleocrs(det_data, tmp_path):
    recipe = tiny_recipe("det", det_data, model=MODEL, train=TRAIN)
    net = Task(recipe).build()
    head = zoo.build_guide(recipe.train.guides[0], net, "det", 0, "other_")
    state = state_of(net) | {f"head.{name}": array for name, array in state_of(head).items()}
    assert set(NAMES) <= state.keys()
    assert without_guides(state).keys() == state_of(net).keys()
    assert of_guide(state, "AuxDBHead").keys() == state_of(head).keys()
    write_pdparams(tmp_path / "w.pdparams", state)
    start = {**TRAIN, "weights": str(tmp_path / "w.pdparams")}
    said = []
    trainee = trainee_of(tiny_recipe("det", det_data, model=MODEL, train=start), said)
    [started] = trainee.heads
    assert all(np.array_equal(array, state_of(head)[name]) for name, array in state_of(started).items()) and not said
    write_pdparams(tmp_path / "w.pdparams", state_of(net))
    trainee_of(tiny_recipe("det", det_data, model=MODEL, train=start), said)
    assert "has no AuxDBHead" in said[0] and "starts fresh" in said[0]


@pytest.mark.parametrize(
    ("neck", "term", "sentence"),
    [
        ({"name": "RSEFPN"}, {"at": "maps_p4"}, "AuxDBHead reads a pyramid at the neck.top_down of a det network"),
        (MODEL["neck"], {}, "reads maps of net.AuxDBHead, which gives maps_p4, maps_p3, maps_p2"),
        (
            MODEL["neck"],
            {"of": ["net.AuxDBHead", "net"], "at": "maps_p4"},
            "reads maps_p4, which is of a guide, and net is none",
        ),
    ],
)
def test_a_recipe_that_asks_for_what_is_not_there_is_a_sentence(det_data, neck, term, sentence):
    train = {"guides": TRAIN["guides"], "losses": [{"name": "DB"}, {"name": "DB", "of": ["net.AuxDBHead"], **term}]}
    with pytest.raises((PpedgeError, ValueError), match=sentence):
        Recipe.model_validate(recipe_dict("det", det_data, model={**MODEL, "neck": neck}, train=train))
