"""Weights out of ONNX files: running numbers lead layers back to their names, and a runtime tells whether rightly."""

from pathlib import Path

import numpy as np
import onnx
import paddle
import pytest
import rapidocr_onnxruntime

from ppedge.cli.brought import from_onnx
from ppedge.convert import onnx_model, translating
from ppedge.convert.export import export_float
from ppedge.convert.onnx import to_onnx
from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.from_onnx import read
from ppedge.models.from_onnx.fit import net_layers
from ppedge.models.from_onnx.layers import read_layers
from ppedge.models.from_onnx.read import BOUND, weights_from_onnx
from ppedge.models.published import PUBLISHED
from ppedge.models.weight_parts import THRESHOLD
from ppedge.models.weights import load_weights, read_pdparams, state_of
from ppedge.recipe.io import make_recipe
from ppedge.recipe.networks import Model
from reference import fill

CLASSES = 40
TINY = "PP-OCRv6's tiny recogniser, re-parameterised"
MODELS = Path(rapidocr_onnxruntime.__file__).parent / "models"


def network(name):
    return next(one for one in PUBLISHED if one.name == name)


def exported(name, folder, forks):
    """Return a re-parameterised network, and the ONNX file of it with the running numbers that PaddleOCR gives."""
    published = network(name)
    net = zoo.build(Model.model_validate(published.model), published.task, CLASSES)
    fill(net)
    for layer in net.sublayers():
        if hasattr(layer, "_momentum"):
            layer._momentum = 0.0
    height = 48 if published.task == "rec" else 64
    net.train()
    net(paddle.to_tensor(np.random.RandomState(0).uniform(-1, 1, (2, 3, height, 320)).astype(np.float32)))
    net.eval()
    for number, one in enumerate(sorted(net_layers(net), key=lambda one: (one.late, one.number))):
        one.layer.weight.name = f"{one.kind}_{number}.w_0"
    made = export_float(net, folder / "m", published.task, height)
    to_onnx({folder / "m.onnx": made.model.with_suffix("")}, forks)
    return net, folder / "m.onnx"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, forks):
    """PP-OCRv6's tiny recogniser, and its file."""
    return exported(TINY, tmp_path_factory.mktemp("onnx"), forks)


@pytest.fixture
def one_network(monkeypatch):
    """No other network is tried, which would take longer."""
    monkeypatch.setattr(read, "PUBLISHED", (network(TINY),))


def weights_of_shape(model, shape):
    """Return the nodes that hold weights of a shape."""
    constants = (node for node in model.graph.node if node.op_type == "Constant")
    return [node for node in constants if list(node.attribute[0].t.dims) == shape]


@pytest.mark.slow
@pytest.mark.usefixtures("one_network")
def test_layers_in_the_wrong_places_are_refused(tiny, tmp_path):
    """Two weights of one shape have each other's number: every shape fits, and what the network computes does not."""
    model = onnx.load(str(tiny[1]))
    first, second, *_ = (node.output[0] for node in weights_of_shape(model, [320, 160, 1, 1]))
    swapped = {first: second, second: first}
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [swapped.get(name, name) for name in names]
    onnx.save(model, str(tmp_path / "swapped.onnx"))
    sentence = r"swapped\.onnx: its layers have the shapes of PP-OCRv6's tiny recogniser.*other numbers"
    with pytest.raises(PpedgeError, match=sentence):
        weights_from_onnx(tmp_path / "swapped.onnx")


@pytest.mark.slow
@pytest.mark.usefixtures("one_network")
def test_another_network_is_refused(tiny, tmp_path):
    model = onnx.load(str(tiny[1]))
    weights_of_shape(model, [320, 160, 1, 1])[0].attribute[0].t.dims[:] = [320, 80, 2, 1]
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(PpedgeError, match=r"other\.onnx: its layers are those of no published network"):
        weights_from_onnx(tmp_path / "other.onnx")


@pytest.mark.slow
def test_a_published_recogniser_is_that_of_the_official_weights(shared_data):
    """RapidOCR's file of PP-OCRv4, held against PaddleOCR's own weights, re-parameterised too."""
    found = weights_from_onnx(MODELS / "ch_PP-OCRv4_rec_infer.onnx")
    assert found.network.recipe == "ppocrv4_rec" and found.classes == 6625 and found.characters[:2] == ["'", "疗"]
    assert found.difference < 1e-4 < BOUND and found.lost_norms == 0
    official = read_pdparams(shared_data / "weights/ch_PP-OCRv4_rec_rep.pdparams")
    for name, array in found.state.items():
        np.testing.assert_allclose(array, official[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_a_published_detector_loads_but_for_its_threshold_head():
    found = weights_from_onnx(MODELS / "ch_PP-OCRv4_det_infer.onnx")
    assert found.network.recipe == "ppocrv4_det_student" and found.classes == 0 and found.difference < 2e-4
    net = zoo.build(Model.model_validate(found.network.model), "det")
    threshold = [name for name in net.state_dict() if name.startswith(THRESHOLD)]
    load_weights(net, found.state, "w", threshold)
    assert len(found.state) + len(threshold) == len(net.state_dict())


@pytest.mark.parametrize(("content", "sentence"), [(b"\x08", "damaged"), (None, "cannot be read")])
def test_a_file_that_is_none_is_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PpedgeError, match=f"{path}") as error:
        read_layers(path)
    assert sentence in f"{error.value} {error.value.hint}"


@pytest.mark.slow
@pytest.mark.usefixtures("one_network")
def test_a_networks_own_export_comes_back(ppedge_here, tiny, tmp_path):
    """And the command says what it found, and keeps what is there."""
    net, path = tiny
    out = tmp_path / "w.pdparams"
    code, said, err = ppedge_here("weights", "from-onnx", path, "--out", out)
    assert code == 0, err
    assert "recipe to start from: ppocrv6_rec_tiny" in said and "largest difference from onnxruntime: " in said
    state, wanted = read_pdparams(out), state_of(net)
    assert state.keys() == wanted.keys()
    for name, array in state.items():
        np.testing.assert_allclose(array, wanted[name], rtol=1e-5, atol=1e-6, err_msg=name)
    code, _, err = ppedge_here("weights", "from-onnx", path, "--out", out)
    assert code == 2 and "there already" in err


@pytest.mark.slow
def test_a_detector_that_is_brought_in_has_the_boxes_of_its_recipe(tmp_path, forks, monkeypatch, capsys):
    name = "PP-OCRv6's tiny detector, re-parameterised"
    monkeypatch.setattr(read, "PUBLISHED", (network(name),))
    # What a child process does, in this one, where there is one network to try.
    monkeypatch.setattr(onnx_model, "run_module", lambda module, given, what: translating.main([*map(str, given)]))
    _, path = exported(name, tmp_path, forks)
    _, keys = from_onnx(path, None, ["det_postprocess.thresh=0.35"], [], tmp_path / "run", force=False)
    value = {"name": "x", "task": "det", "data": {}, "model": {"inference": "x"}}
    found = make_recipe(value, tmp_path, keys).det_postprocess
    assert (found.thresh, found.box_thresh, found.max_candidates, found.unclip_ratio) == (0.35, 0.4, 3000, 1.4)
    assert "its layers are ppocrv6_det_tiny's" in capsys.readouterr().err
