"""Which published network weights fit, by names and shapes alone."""

import gzip
import json

import numpy as np
import pytest

from ppedge.data.source import read_charset
from ppedge.models import zoo
from ppedge.models.published import PUBLISHED, fitting, form_of
from ppedge.models.weight_parts import parts
from ppedge.models.weight_summary import summary
from ppedge.models.weights import state_of
from ppedge.recipe.io import load_recipe
from ppedge.recipe.networks import Model
from ppedge.recipe.shipped import find


def built(network, classes=11):
    model = Model.model_validate(network.model)
    return state_of(zoo.build(model, network.task, 2 if network.task == "cls" else classes))


@pytest.fixture(scope="module")
def recogniser():
    return built(next(network for network in PUBLISHED if network.name == "PP-OCRv2's recogniser"))


@pytest.mark.parametrize("network", PUBLISHED, ids=lambda network: network.name)
def test_the_table_has_the_form_of_what_its_section_builds(network):
    assert fitting(built(network)) is network


def test_no_two_networks_of_the_table_have_one_form():
    assert len({network.form for network in PUBLISHED}) == len(PUBLISHED)


def test_of_recipes_of_one_network_that_with_the_same_classes_is_the_one_to_start_from():
    for network in PUBLISHED:
        for classes, name in network.recipes.items():
            recipe = load_recipe(find(name).path)
            assert len(read_charset(recipe).characters) + 1 == classes
            own = fitting(state_of(zoo.build(recipe.model, recipe.task, classes)))
            assert own.recipe_for(classes) == name and own.recipe == network.recipe
    network = next(network for network in PUBLISHED if network.name == "PP-OCRv3's recogniser")
    found = {classes: summary(built(network, classes))["networks"][0]["fits"]["recipe"] for classes in (97, 96, 6625)}
    assert found == {97: "ppocrv3_rec_en", 96: "ppocrv3_rec", 6625: "ppocrv3_rec"}


def test_the_form_is_that_of_what_ships(recogniser):
    form = form_of(recogniser)
    shipped = {name: array for name, array in reversed(recogniser.items()) if ".cell" not in name}
    cells = {name: array for name, array in recogniser.items() if "_l0" not in name and "_l1" not in name}
    assert len(shipped) == len(cells) < len(recogniser)
    guided = {**shipped, "head.sar_head.fc.weight": np.zeros(3), "head.thresh.conv1.weight": np.zeros(1)}
    more = {**shipped, "head.fc2.weight": np.zeros((96, 5)), "head.fc2.bias": np.zeros(5)}
    for other in (shipped, cells, guided, more):
        assert form_of(other) == form
    assert fitting({**shipped, "head.fc1.weight": np.zeros((128, 95))}) is None
    assert fitting({**shipped, "neck.another": np.zeros(1)}) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v2_det_cml", {"Student": "detector, v1", "Student2": "detector, v1", "Teacher": "v2's teacher"}),
        ("v3_det_cml", {"Student": "v3's detector", "Student2": "v3's detector", "Teacher": "v3's teacher"}),
        ("v3_rec_distillation_6625", {"Student": "v3's recogniser", "Teacher": "v3's recogniser"}),
        ("v4_det_teacher", {"": "v4's teacher"}),
        ("v4_det_student", {"": "v4's detector"}),
        ("v4_rec_97", {"": "v4's recogniser"}),
    ],
)
def test_official_checkpoints_are_recognised_with_all_that_only_trains(shared_data, name, expected):
    rows = json.loads(gzip.decompress((shared_data / f"reference/networks/{name}.json.gz").read_bytes()))["state"]
    state = {row["name"]: np.broadcast_to(np.float32(0), row["shape"]) for row in rows}
    found = parts(state) or {"": state}
    assert found.keys() == expected.keys()
    for part, words in expected.items():
        assert words in fitting(found[part]).name
