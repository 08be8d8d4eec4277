"""Tiny networks with lively weights, and the pictures to train them on."""

import numpy as np
import paddle
import pytest

from ppedge.models.flops import count_flops
from ppedge.models.weights import state_of
from ppedge.recipe.sizes import trace_shape
from ppedge.slim.channels.groups import trace
from ppedge.train.task import Task
from small import lively, make_data, tiny_recipe


@pytest.fixture(scope="session")
def det_data(tmp_path_factory):
    return make_data("det", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def rec_data(tmp_path_factory):
    return make_data("rec", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def cls_data(tmp_path_factory):
    return make_data("cls", tmp_path_factory.mktemp("data"))


class Example:
    """A task's tiny network, its groups and FLOPs."""

    def __init__(self, task, data):
        self.recipe = tiny_recipe(task, data)
        self.task = Task(self.recipe)
        self.shape = trace_shape(self.recipe)
        self.traced = trace(self.task.build(), self.shape)
        self.groups = self.traced.groups
        self.macs = count_flops(self.task.build(), self.shape)
        self.shapes = {name: value.shape for name, value in state_of(self.task.build()).items()}

    def build(self, seed=0):
        """A network in eval mode in which no channel is like another, BatchNorm included."""
        return lively(self.task.build(), seed)

    def picture(self, seed=0):
        return paddle.to_tensor(np.random.default_rng(seed).standard_normal(self.shape, dtype=np.float32))


@pytest.fixture(scope="session")
def examples(det_data, rec_data, cls_data):
    return {"det": Example("det", det_data), "rec": Example("rec", rec_data), "cls": Example("cls", cls_data)}


@pytest.fixture(params=["det", "rec", "cls"])
def example(request, examples):
    return examples[request.param]
