"""Small networks and the model sections of official weights."""

import pytest

from ppedge.recipe import networks


def model(**parts) -> networks.Model:
    return networks.Model.model_validate(parts)


@pytest.fixture(scope="session")
def det_model() -> networks.Model:
    """The section of ch_ppocr_mobile_v2.0_det."""
    return model(
        backbone={"name": "MobileNetV3", "model_name": "large", "scale": 0.5, "disable_se": True},
        neck={"name": "DBFPN", "out_channels": 96},
        head={"name": "DBHead", "k": 50},
    )


@pytest.fixture(scope="session")
def rec_model() -> networks.Model:
    """The section of en_number_mobile_v2.0_rec."""
    return model(
        backbone={"name": "MobileNetV3", "model_name": "small", "scale": 0.5, "small_stride": (1, 2, 2, 2)},
        neck={"name": "SequenceEncoder", "hidden_size": 48},
        head={"name": "CTCHead"},
    )


@pytest.fixture(scope="session")
def cls_model() -> networks.Model:
    """The section of ch_ppocr_mobile_v2.0_cls."""
    return model(backbone={"name": "MobileNetV3", "model_name": "small", "scale": 0.35}, head={"name": "ClsHead"})
