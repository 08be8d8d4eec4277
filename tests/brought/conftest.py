"""Tiny networks exported as somebody else would have, and pictures without labels."""

import shutil

import paddle
import pytest

from ppedge.convert.export import export_float
from ppedge.files.inference_model import InferenceModel
from ppedge.models import zoo
from ppedge.recipe.io import make_recipe
from ppedge.recipe.networks import Model
from small import MODEL, OWN, lively, make_data

SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 2, "learning_rate": 1e-3}
HEIGHT = {"det": 64, "rec": 32}
CLASSES = {"det": 0, "rec": 96}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """By task, the folder of an inference model; and as ``pictures_TASK`` that of pictures."""
    made = {}
    for task in ("det", "rec"):
        made[task] = tmp_path_factory.mktemp(task)
        paddle.seed(5)
        net = lively(zoo.build(Model.model_validate(MODEL[task]), task, CLASSES[task]), 3)
        export_float(net, made[task] / "inference", task, HEIGHT[task], free_batch=True)
        data = make_data(task, tmp_path_factory.mktemp("data"))
        made[f"pictures_{task}"] = tmp_path_factory.mktemp("pictures")
        for picture in sorted(data.rglob("*.jpg")) + sorted(data.rglob("*.png")):
            shutil.copy(picture, made[f"pictures_{task}"] / picture.name)
    return made


@pytest.fixture
def recipe_of(folders):
    """A recipe that brings a tiny network in; sections replace those of the same name."""

    def one(task, quant="none", **sections):
        value = {
            "name": f"theirs_{task}", "task": task, "data": {"charset": "ascii"} if task == "rec" else {},
            "model": {"inference": str(folders[task]), "pictures": str(folders[f"pictures_{task}"])}, **OWN[task],
            "train": {"workers": 0, **({"det_augment": {"crop": 64}} if task == "det" else {})},
            "slim": {"max_metric_drop": None, "prune": {"mode": "flat", "ratio": 0.25, "finetune": SHORT},
                     "quant": {"method": quant, "samples": 4, "train": SHORT}},
            "validate": {"cpu": "pc", "gates": {"min_found": None}}, **sections,
        }  # fmt: skip
        return make_recipe(value, "tiny.yml")

    return one


@pytest.fixture
def files_of(folders):
    """The files of a tiny network."""
    return lambda task: InferenceModel.at(folders[task] / "inference")
