"""The tutorials are tests: every command of their pages is run as it stands, in the order of the page.

What the reader has at the beginning lies in the folder beforehand: official weights, and real pictures of which few are
taken. Commands that train, slim, or convert what they trained are given keys beside, so that minutes become seconds;
the official weights stay as they are, so that pictures are found and read.
"""

import json
import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import paddle
import pytest

from ppedge.models import zoo
from ppedge.models.published import fitting
from ppedge.models.weights import load_weights, read_pdparams
from ppedge.recipe.networks import Model
from test_docs import PROJECT

FAST = {"convert.rewrite": "none", "convert.precisions": "[fp32]"}
RUN = {
    "train.max_steps": 1, "train.batch_size": 2, "train.workers": 0, "train.learning_rate": 1e-8,
    "slim.prune.method": "none", "slim.quant.method": "none", "validate.cpu": "pc", "validate.limit": 1, **FAST,
}  # fmt: skip
DET = {"det_preprocess.limit_type": "max", "det_preprocess.limit_side": 640, "train.det_augment.crop": 64}
SLIM = {
    **DET, "train.workers": 0, "slim.prune.arm.samples": 2, "slim.prune.arm.distill.max_steps": 1,
    "slim.prune.arm.distill.batch_size": 1, "slim.quant.method": "none", "slim.max_metric_drop": "null", **FAST,
}  # fmt: skip
BESIDE = {
    "ppedge run det.yml": RUN | DET,
    "ppedge run rec.yml": RUN,
    "ppedge slim --from-inference": SLIM,
    "ppedge convert --from-inference": FAST,
    "ppedge convert --from-onnx": FAST,
    "ppedge validate": {"validate.cpu": "pc"},
}
"""What is set beside what the page says, by how the command begins."""

ONNX = "ch_PP-OCRv4_rec_infer.onnx"
WEIGHTS = ("ch_PP-OCRv3_det_student", "ch_PP-OCRv3_rec_student", "en_PP-OCRv3_rec")
INFERENCE = {"ch_PP-OCRv3_det_infer": ("ch_PP-OCRv3_det_student", 0), "en_PP-OCRv3_rec_infer": ("en_PP-OCRv3_rec", 97)}


def beside(line):
    """Return what is given to a command beside what the page says."""
    keys = next((keys for start, keys in BESIDE.items() if line.startswith(start)), {})
    return [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]


def walk(page, ppedge, monkeypatch):
    """Run the commands and the Python programs of a page in the current folder; return what each said."""
    text = (PROJECT / "docs" / "tutorials" / page).read_text(encoding="utf-8")
    said = {}
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        if language == "python":
            exec(compile(block, page, "exec"), {})
            continue
        for line in block.splitlines():
            program, *words = shlex.split(line)
            if program == "cd":
                monkeypatch.chdir(*words)
                continue
            assert program == "ppedge", line
            code, out, err = ppedge(*words, *beside(line))
            assert code == 0, f"{line}: {err}"
            said[line] = out
    return said


def spoken(said, start):
    """Return what the first command that begins so has said."""
    return next(out for line, out in said.items() if line.startswith(start))


@pytest.fixture(scope="module")
def have(shared_data, tmp_path_factory):
    """A folder with what a reader has: weights, receipts labelled in PPOCRLabel, pictures of CCPD, an app."""
    folder = tmp_path_factory.mktemp("have")
    for name in WEIGHTS:
        shutil.copy(shared_data / "weights" / f"{name}.pdparams", folder)
    shutil.copy(Path(find_spec("rapidocr_onnxruntime").origin).parent / "models" / ONNX, folder)
    (folder / "photos").mkdir()
    lines = []
    for line in (shared_data / "data/receipts/train.txt").read_text(encoding="utf-8").splitlines()[:5]:
        name, _, regions = line.partition("\t")
        own = Path(name).name if lines else "receipt.jpg"
        shutil.copy(shared_data / "data/receipts" / name, folder / "photos" / own)
        lines.append(f"photos/{own}\t{json.dumps(json.loads(regions)[:8])}\n")  # each line is read several times
    (folder / "photos/Label.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "ccpd").mkdir()
    for picture in sorted((shared_data / "data/ccpd").glob("*.jpg"))[:5]:
        shutil.copy(picture, folder / "ccpd")
    (folder / "android_demo/app").mkdir(parents=True)
    return folder


@pytest.fixture
def reader(have, monkeypatch):
    """The reader's folder is the current one."""
    monkeypatch.chdir(have)
    return have


@pytest.fixture(scope="module")
def inference_models(have):
    """Inference models of official weights, as PaddleOCR exports them."""
    for name, (weights, classes) in INFERENCE.items():
        path = have / f"{weights}.pdparams"
        state = read_pdparams(path)
        network = fitting(state)
        net = zoo.build(Model.model_validate(network.model), network.task, classes)
        load_weights(net, state, path, [key for key in net.state_dict() if key.startswith("head.thresh.")])
        net.eval()
        shape = [-1, 3, -1, -1] if network.task == "det" else [-1, 3, 48, -1]
        paddle.jit.save(net, str(have / name / "inference"), [paddle.static.InputSpec(shape, "float32", "x")])


@pytest.mark.slow
def test_receipts(reader, ppedge_here, monkeypatch, capsys):
    said = walk("receipts.md", ppedge_here, monkeypatch)
    assert "40 regions" in spoken(said, "ppedge init")
    next_commands = re.findall(r"^  (ppedge .*)$", spoken(said, "ppedge init"), flags=re.MULTILINE)
    assert [line.split()[1] for line in next_commands] == [
        "data", "data", "eval", "eval", "run", "run", "report", "report", "ocr", "bundle", "bundle",
        "bundle", "eval", "bundle",
    ]  # fmt: skip
    read = spoken(said, "ppedge ocr pc_bundle")
    assert not list((reader / "receipts/bundle").glob("*.onnx")), "the page sends this bundle into the app"
    assert len(read.splitlines()) > 10 and "as built" in spoken(said, "ppedge bundle verify")
    assert "hmean" in spoken(said, "ppedge eval --e2e")


@pytest.mark.slow
def test_plates(reader, ppedge_here, monkeypatch):
    said = walk("plates.md", ppedge_here, monkeypatch)
    read = spoken(said, "ppedge ocr ../ccpd")
    assert read.count("皖") == 5
    assert (reader / "android_demo/app/src/main/assets/bundle/manifest.json").is_file()


@pytest.mark.slow
def test_bring_a_model(reader, inference_models, ppedge_here, monkeypatch):
    said = walk("bring-a-model.md", ppedge_here, monkeypatch)
    assert "PP-OCRv3's detector" in spoken(said, "ppedge weights show")
    assert "as built" in spoken(said, "ppedge bundle verify")
