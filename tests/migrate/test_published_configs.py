from copy import deepcopy
from pathlib import Path

import pytest

from paddleocr_configs import published
from ppedge.migrate.recipe import migrate
from ppedge.recipe.compare import differences
from ppedge.recipe.io import load_recipe, make_recipe
from ppedge.recipe.losses import DEFAULTS

PUBLISHED = published()
RECIPES = Path(__file__).parents[2] / "recipes"
CML = [
    {"name": "Dilated", "from": "teacher", "to": ["net", "twin"]},
    {"name": "DML", "between": ["net", "twin"], "at": "maps"},
    {"name": "DB"},
]
DB = [{"name": "DB", "main": "dice", "alpha": 5, "beta": 10, "ohem_ratio": 3}]
FOCAL = {"name": "DB", "main": "dice_focal", "alpha": 5, "beta": 10, "focal_alpha": 0.25, "focal_gamma": 2.5}
V6_DET = [
    FOCAL,
    *(
        {**FOCAL, "of": ["net.AuxDBHead"], "at": at, "weight": weight}
        for at, weight in (("maps_p4", 0.2), ("maps_p3", 0.3), ("maps_p2", 0.4))
    ),
]
BETWEEN = ["net", "twin"]
SARS = ["net.SARHead", "twin.SARHead"]
LOSSES = {
    "v2_det_distill": [{"name": "Dilated", "from": "teacher", "to": ["net"]}, {"name": "DB"}],
    "v2_det_cml": CML,
    "v2_det_dml": CML[1:],
    "v3_det_dml": CML[1:],
    "v3_det_cml": CML,
    "v4_det_cml": CML,
    "v2_rec_distill": [
        {"name": "CTC"},
        {"name": "DML", "between": BETWEEN, "at": "logits"},
        {"name": "MSE", "between": BETWEEN, "at": "backbone"},
    ],
    "v2_rec_enhanced": [{"name": "CTC"}, {"name": "Center", "start": "read", "weight": 0.05}],
    "v3_rec_distill": [
        {"name": "DML", "between": BETWEEN, "at": "logits"},
        {"name": "DML", "between": SARS, "at": "logits", "weight": 0.5},
        {"name": "MSE", "between": BETWEEN, "at": "backbone"},
        {"name": "CTC"},
        {"name": "SAR", "of": SARS},
    ],
    "v2_rec": [{"name": "CTC"}],
    "v3_rec": [{"name": "CTC"}, {"name": "SAR", "of": ["net.SARHead"]}],
    "v3_rec_en": [{"name": "CTC"}, {"name": "SAR", "of": ["net.SARHead"]}],
    "v4_rec": [{"name": "CTC"}, {"name": "NRTR", "of": ["net.NRTRHead"]}],
    "v5_rec_mobile": [{"name": "CTC"}, {"name": "NRTR", "of": ["net.NRTRHead"]}],
    "v6_rec_tiny": [{"name": "CTC"}, {"name": "NRTR", "of": ["net.NRTRHead"]}],
    "v6_rec_small": [{"name": "CTC"}, {"name": "NRTR", "of": ["net.NRTRHead"]}],
    "v6_det_tiny": V6_DET,
    "v6_det_small": V6_DET,
    "v4_rec_distill": [
        {
            "name": "DKD",
            "from": "teacher.NRTRHead",
            "to": ["net.NRTRHead"],
            "temperature": 1.0,
            "alpha": 1.0,
            "beta": 2.0,
            "padding": True,
            "weight": 0.1,
        },
        {"name": "CTC"},
        {"name": "NRTR", "of": ["net.NRTRHead"], "smoothing": 0.0, "padding": True},
        {"name": "CTCLogits", "from": "teacher", "to": ["net"]},
    ],
    "v1_cls": [{"name": "CrossEntropy"}],
}
SHIPPED = {
    "ppocr_v1_cls": "v1_cls",
    "ppocr_v2.0_det_res18": "v2_det_res18",
    "ppocrv2_det_cml": "v2_det_cml",
    "ppocrv2_det_dml": "v2_det_dml",
    "ppocrv2_det_distill": "v2_det_distill",
    "ppocrv2_det_student": "v2_det_student",
    "ppocrv2_rec": "v2_rec",
    "ppocrv2_rec_distill": "v2_rec_distill",
    "ppocrv2_rec_enhanced": "v2_rec_enhanced",
    "ppocrv3_det_cml": "v3_det_cml",
    "ppocrv3_det_dml": "v3_det_dml",
    "ppocrv3_det_student": "v3_det_student",
    "ppocrv3_rec": "v3_rec",
    "ppocrv3_rec_distill": "v3_rec_distill",
    "ppocrv3_rec_en": "v3_rec_en",
    "ppocrv4_det_cml": "v4_det_cml",
    "ppocrv4_det_student": "v4_det_student",
    "ppocrv4_det_teacher": "v4_det_teacher",
    "ppocrv4_rec": "v4_rec",
    "ppocrv4_rec_distill": "v4_rec_distill",
    "ppocrv5_det_mobile": "v5_det_mobile",
    "ppocrv5_rec_mobile": "v5_rec_mobile",
    "ppocrv6_det_small": "v6_det_small",
    "ppocrv6_det_tiny": "v6_det_tiny",
    "ppocrv6_rec_small": "v6_rec_small",
    "ppocrv6_rec_tiny": "v6_rec_tiny",
}
"""Recipes of the project, and the configuration that each says the same as."""
OWN = (
    "name",
    "data.root",
    "data.synth",
    "train.losses",
    "train.eval_every",
    "train.workers",
    "train.amp",
    "slim",
    "validate",
)
"""What is a recipe's own: data, machine, and the stages after training. Losses may stand in another order, and the
classifier of v1 is trained in another way."""


def mappings(value):
    """Yield all mappings whose keys are settings; lists of NAME: {...} name what they hold."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            yield from mappings(list(inner.values()) if key == "Models" else inner)
    elif isinstance(value, list):
        for entry in value:
            named = isinstance(entry, dict) and len(entry) == 1 and not isinstance(next(iter(entry.values())), str)
            yield from mappings(next(iter(entry.values())) if named else entry)


def leaves(value, at=()):
    """Yield the paths of all keys that hold no section."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        sections = isinstance(inner, dict) or (isinstance(inner, list) and any(isinstance(one, dict) for one in inner))
        if sections:
            yield from leaves(inner, (*at, key))
        else:
            yield ".".join(map(str, (*at, key)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_configuration_becomes_a_recipe_that_loads(migrated, tmp_path, name):
    made = migrated(PUBLISHED[name])
    assert not [one for one in made.findings if one.verdict == "left out"]
    assert made.recipe["train"]["losses"] == LOSSES.get(name, DB)
    path = tmp_path / "ours.yml"
    path.write_text(made.text("theirs.yml"))
    assert load_recipe(path) == make_recipe(made.recipe, path)


def terms(recipe):
    """Return the losses of a recipe, in whatever order."""
    return sorted(map(str, recipe.train.losses or [DEFAULTS[recipe.task]]))


@pytest.mark.parametrize(("recipe", "name"), SHIPPED.items())
def test_the_recipe_says_what_the_shipped_one_says(migrated, recipe, name):
    path = RECIPES / f"{recipe}.yml"
    ours, theirs = load_recipe(path), make_recipe(migrated(PUBLISHED[name]).recipe, path)
    found = differences(ours, theirs, (*OWN, "train") if recipe == "ppocr_v1_cls" else OWN)
    assert [one for one in found if not one.key.endswith("weights")] == []
    assert terms(theirs) == terms(ours)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_key_is_answered_and_none_that_is_unknown_is_dropped(config, name):
    value = deepcopy(PUBLISHED[name])
    found = {one.key for one in migrate(config(value)).findings}
    assert not [leaf for leaf in leaves(value) if leaf not in found]
    sections = list({id(one): one for one in mappings(value)}.values())
    for number, section in enumerate(sections):
        section[f"odd_{number}"] = 1
    left_out = [one.key for one in migrate(config(value)).findings if one.verdict == "left out"]
    for number in range(len(sections)):
        assert [key for key in left_out if key.endswith(f".odd_{number}") or key == f"odd_{number}"], number
