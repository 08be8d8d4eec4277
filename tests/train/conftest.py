"""Synthetic pictures, made once."""

import pytest

from small import make_data


@pytest.fixture(scope="session")
def det_data(tmp_path_factory):
    return make_data("det", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def rec_data(tmp_path_factory):
    return make_data("rec", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def cls_data(tmp_path_factory):
    return make_data("cls", tmp_path_factory.mktemp("data"))
