"""Inference models that are brought in: what is refused, and why."""

import shutil

import pytest
from programs import program

from ppedge.convert import imported
from ppedge.convert.one_line import require_runnable_nb, takes_one_line
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel

DET = ([(-1, 3, -1, -1)], [(-1, 1, -1, -1)])
REC = ([(-1, 3, 48, -1)], [(-1, -1, 11)])
CLS = ([(-1, 3, -1, -1)], [(-1, 2)])


@pytest.fixture
def write(tmp_path):
    """Write a made-up model and return its files."""

    def write(inputs, outputs, operators=("conv2d",)):
        files = InferenceModel.at(tmp_path / "inference")
        files.model.write_bytes(program(inputs, outputs, operators))
        return files

    return write


def test_the_signature_is_read(write):
    signature = write([(-1, 3, 48, -1)], [(1, 40, 97), (2, 2)], ["conv2d", "rnn"]).signature()
    assert signature.inputs == ((-1, 3, 48, -1),)
    assert signature.outputs == ((1, 40, 97), (2, 2))
    assert signature.operators == {"feed", "conv2d", "rnn", "fetch"}


@pytest.mark.parametrize("name", ["det-float", "rec-float", "det-quantized"])
def test_what_paddle_writes_is_recognised(models, name):
    files = InferenceModel.at(models / name)
    assert imported.task_of(files) == name[:3]
    assert imported.is_quantized(files) == name.endswith("quantized")
    assert imported.fixed_height(files) == (32 if name.startswith("rec") else None)
    imported.require_fit(files, name[:3], 32, 11)
    require_runnable_nb(files)  # the recogniser has an LSTM, but batch 1


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        (DET[0] * 2, DET[1], "has 2 inputs and 1 outputs"),
        (REC[0], REC[1] * 2, "has 1 inputs and 2 outputs"),
        ([(-1, 224)], DET[1], r"takes \(\?, 224\), not pictures"),
        ([(-1, 1, -1, -1)], DET[1], "not pictures"),
        (DET[0], [(-1, 1000)], r"gives \(\?, 1000\), as a classifier of something else"),
        (DET[0], [(-1, 21, -1, -1)], "neither a text map nor"),
        (DET[0], [()], "neither a text map nor"),
    ],
)
def test_networks_of_another_kind(write, inputs, outputs, says):
    with pytest.raises(PpedgeError, match=says):
        imported.task_of(write(inputs, outputs))


@pytest.mark.parametrize(
    ("model", "task", "height", "classes", "says"),
    [
        (REC, "det", 48, 1, "a recogniser, but the task is det"),
        (DET, "rec", 48, 11, "a detector, but the task is rec"),
        (([(-1, 3, 640, 640)], DET[1]), "det", 48, 1, r"takes \(\?, 3, 640, 640\) only; its height and width must"),
        (([(-1, 3, 48, 320)], REC[1]), "rec", 48, 11, r"takes \(\?, 3, 48, 320\) only; its width must"),
        (CLS, "rec", 48, 11, "a direction classifier, but the task is rec"),
        (([(-1, 3, 48, 192)], CLS[1]), "cls", 48, 1, r"takes \(\?, 3, 48, 192\) only; its width must"),
        (([(-1, 3, 32, -1)], CLS[1]), "cls", 48, 1, "lines of 32 pixels' height, cls_preprocess.height is 48"),
        (REC, "rec", 32, 11, "lines of 48 pixels' height, rec_preprocess.height is 32.*height=48"),
        (REC, "rec", 48, 7, "has 11 classes, the character set .* has 7.*dictionary"),
        (REC, "rec", 48, 10, "has 11 classes, the character set .* has 10.*use_space_char=true"),
    ],
)
def test_models_that_do_not_fit_the_recipe(write, model, task, height, classes, says):
    with pytest.raises(PpedgeError, match=says) as error:
        imported.require_fit(write(*model), task, height, classes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("classes", "use_space_char", "told"),
    [
        (10, False, "use_space_char=true"),
        (12, True, "use_space_char=false"),
        (9, False, None),
        (12, False, None),
        (10, True, None),
        (10, None, None),
    ],
)
def test_use_space_char_is_named_only_where_it_explains_the_difference(write, classes, use_space_char, told):
    with pytest.raises(PpedgeError, match="unchanged: each line is a class") as error:
        imported.require_fit(write(*REC), "rec", 48, classes, use_space_char)
    assert ("use_space_char" in error.value.hint) == bool(told)
    assert told is None or told in error.value.hint


def test_sides_that_the_exporter_left_open_fit(write):
    imported.require_fit(write([(-1, 3, -1, -1)], [(-1, -1, -1)]), "rec", 32, 97)


def test_an_lstm_with_a_free_batch_is_not_for_paddle_lite(write):
    """That of Paddle before 2.0, which has no first states that could be made those of one line."""
    with pytest.raises(PpedgeError, match="has an LSTM and a free batch.*--format onnx"):
        require_runnable_nb(write(*REC, ["conv2d", "lstm"]))
    for fit in (write([(1, 3, 48, -1)], REC[1], ["conv2d", "lstm"]), write(*REC), write(*REC, ["conv2d", "rnn"])):
        require_runnable_nb(fit)


def test_the_nb_of_an_lstm_takes_one_line(write):
    assert takes_one_line(write(*REC, ["conv2d", "rnn"]))
    assert not takes_one_line(write([(1, 3, 48, -1)], REC[1], ["conv2d", "rnn"]))
    assert not takes_one_line(write(*REC))


def fill(folder, models, *names):
    for name in names:
        for suffix in (".pdmodel", ".pdiparams"):
            shutil.copyfile(models / f"{name}{suffix}", folder / f"{name}{suffix}")


def test_the_one_model_in_a_folder_is_found(models, tmp_path):
    fill(tmp_path, models, "det-float")
    (tmp_path / "det-float.pdiparams.info").write_text("what PaddleOCR lays beside it")
    assert imported.find(tmp_path) == InferenceModel.at(tmp_path / "det-float")


def test_folders_without_one_whole_model(models, tmp_path):
    with pytest.raises(PpedgeError, match="no such folder"):
        imported.find(tmp_path / "not-there")
    with pytest.raises(PpedgeError, match=r"holds no \.pdmodel file"):
        imported.find(tmp_path)
    (tmp_path / "inference.json").write_text("{}")
    (tmp_path / "inference.pdiparams").write_bytes(b"weights")
    with pytest.raises(PpedgeError, match=r"inference\.json: Paddle 3's form"):
        imported.find(tmp_path)
    fill(tmp_path, models, "det-float", "rec-float")
    with pytest.raises(PpedgeError, match=r"several \.pdmodel files \(det-float\.pdmodel, rec-float\.pdmodel\)"):
        imported.find(tmp_path)
    (tmp_path / "rec-float.pdmodel").unlink()
    (tmp_path / "det-float.pdiparams").unlink()
    with pytest.raises(PpedgeError, match=r"det-float\.pdiparams: cannot be read"):
        imported.find(tmp_path)
