import numpy as np
import pytest

paddle = pytest.importorskip("paddle")

from ppedge.engines import open_engine  # noqa: E402
from ppedge.errors import PpedgeError  # noqa: E402


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network with free height and width, exported; and the network."""
    paddle.seed(0)
    net = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3, padding=1), paddle.nn.BatchNorm2D(4), paddle.nn.Hardswish())
    net.eval()
    path = tmp_path_factory.mktemp("paddle") / "tiny.fp32"
    paddle.jit.save(net, str(path), input_spec=[paddle.static.InputSpec([-1, 3, -1, -1], "float32", "x")])
    return path.with_name("tiny.fp32.pdmodel"), net


def picture(height, width):
    return np.random.default_rng(height).standard_normal((1, 3, height, width)).astype(np.float32)


@pytest.mark.parametrize("ir_optim", [None, True, False])
def test_the_engine_gives_what_the_network_gives(exported, ir_optim):
    path, net = exported
    with open_engine("paddle", path, ir_optim=ir_optim, threads=1) as engine:
        for image in (picture(8, 12), picture(16, 4), picture(8, 12)):
            np.testing.assert_allclose(engine.run([image])[0], net(paddle.to_tensor(image)).numpy(), atol=1e-5)


def copies(exported, folder):
    """The two files in another folder."""
    source = exported[0]
    for path in (source, source.with_suffix(".pdiparams")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / source.name, (folder / source.name).with_suffix(".pdiparams")


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_file_is_one_sentence(exported, tmp_path, missing):
    files = copies(exported, tmp_path)
    files[missing].unlink()
    with pytest.raises(PpedgeError, match=f"{files[missing].name}: cannot be read"):
        open_engine("paddle", files[0])


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("cut", [0, 100, -10])
def test_a_truncated_file_is_one_sentence(exported, tmp_path, broken, cut):
    files = copies(exported, tmp_path)
    files[broken].write_bytes(files[broken].read_bytes()[:cut])
    with pytest.raises(PpedgeError, match=files[broken].name) as caught:
        open_engine("paddle", files[0])
    assert "\n" not in str(caught.value)


def test_other_inputs_are_one_sentence(exported):
    with open_engine("paddle", exported[0]) as engine:
        with pytest.raises(PpedgeError, match="has 1 inputs, 2 were given"):
            engine.run([picture(8, 8), picture(8, 8)])
        with pytest.raises(PpedgeError, match=r"Paddle failed on float32 \(1, 5, 8, 8\)") as caught:
            engine.run([np.zeros((1, 5, 8, 8), np.float32)])
        assert "\n" not in str(caught.value)


def test_a_closed_engine_says_so(exported):
    engine = open_engine("paddle", exported[0])
    engine.close()
    with pytest.raises(PpedgeError, match="has been closed"):
        engine.run([picture(8, 8)])
