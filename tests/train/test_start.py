"""What a training starts from, and that weights which only seem to fit are told from those that do."""

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from courses import BoomError
from ppedge.errors import PpedgeError
from ppedge.models import known
from ppedge.models.weights import load_weights, read_pdparams, state_of, write_pdparams
from ppedge.progress import Reporter
from ppedge.recipe.io import load_recipe
from ppedge.runs import Run
from ppedge.train.stage import run_train, weight_files
from ppedge.train.start import start_weights
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee
from small import MODEL, make_data, recipe_dict, tiny_recipe

STRIDES = "model.backbone.small_stride"
V2_REC = {
    "backbone": {"name": "MobileNetV1Enhance", "scale": 0.5},
    "neck": {"name": "SequenceEncoder", "hidden_size": 64},
    "head": {"name": "CTCHead", "mid_channels": 96},
}
V3_REC = {
    "backbone": {"name": "MobileNetV1Enhance", "scale": 0.5, "last_conv_stride": [1, 2], "last_pool_type": "avg"},
    "neck": None,
    "head": {"name": "MultiHead"},
}
OFFICIAL = {
    "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.5, "small_stride": [1, 2, 2, 2]},
    "neck": {"name": "SequenceEncoder", "hidden_size": 48},
    "head": {"name": "CTCHead"},
}


class Said(Reporter):
    """Keeps what was said."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def started(recipe):
    """Return a recipe's network with the weights that it starts from, those before, and what was said."""
    task, reporter = Task(recipe), Said()
    net = task.build()
    before = state_of(net)
    start_weights(net, task, reporter)
    return state_of(net), before, reporter.lines


def with_strides(strides, model=MODEL["rec"]):
    return {**model, "backbone": {**model["backbone"], "small_stride": strides}}


@pytest.fixture
def theirs(tmp_path):
    """A recogniser's weights for the 97 classes of en_number."""
    path = tmp_path / "theirs.pdparams"
    write_pdparams(path, state_of(Task(tiny_recipe("rec", tmp_path, seed=1)).build()))
    return path


@pytest.fixture
def published(theirs, monkeypatch):
    """The same, as if they were official."""
    state, tensor = read_pdparams(theirs), "conv1.conv.weight"
    entry = known.Known(
        "theirs_rec",
        tensor,
        hashlib.sha256(state[f"backbone.{tensor}"].tobytes()).hexdigest(),
        known.form_of(state),
        {STRIDES: [1, 2, 2, 2], "rec_preprocess.mean": 0.5},
        "en_number",
    )
    monkeypatch.setattr(known, "KNOWN", (entry,))
    return theirs


def test_another_character_set_gets_a_fresh_head_and_keeps_the_rest(theirs, tmp_path):
    after, before, said = started(
        tiny_recipe("rec", tmp_path, data={"charset": "plates"}, train={"weights": str(theirs)})
    )
    official = read_pdparams(theirs)
    for name, value in after.items():
        assert np.array_equal(value, (before if name.startswith("head.") else official)[name]), name
    assert said == [
        f"train.weights {theirs}: its head has 97 classes and data.charset has 68: the head starts fresh; "
        "everything else is taken"
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [("en_PP-OCRv3_rec", "they are of the official en_PP-OCRv3_rec, PP-OCRv3's recogniser; "),
     ("MobileNetV3_large_x0_5_pretrained", "network: ")],
)  # fmt: skip
def test_weights_of_another_network_are_told_by_what_they_are(name, told, shared_data, tmp_path):
    path = shared_data / "weights" / f"{name}.pdparams"
    with pytest.raises(PpedgeError) as error:
        started(tiny_recipe("det", tmp_path, train={"weights": str(path)}))
    assert told in error.value.message and re.search(r"\d+ missing .*; \d+ unexpected ", error.value.message)
    assert ("they are of" in error.value.message) == ("they are of" in told)
    assert f"`ppedge weights show {path}` says what the file holds" in error.value.hint


def test_a_backbone_of_another_network_is_told_too(shared_data, tmp_path):
    path = shared_data / "weights" / "en_PP-OCRv3_rec.pdparams"
    with pytest.raises(PpedgeError, match=r"they are of the official en_PP-OCRv3_rec, .*; \d+ missing"):
        started(tiny_recipe("det", tmp_path, train={"backbone_weights": str(path)}))


def test_official_weights_with_other_classes_name_their_character_set(published, tmp_path):
    net = Task(tiny_recipe("rec", tmp_path, data={"charset": "plates"})).build()
    state = read_pdparams(published)
    with pytest.raises(PpedgeError, match=r"fc\.weight \[\d+, 97\] instead of \[\d+, 68\]") as error:
        load_weights(net, state, published)
    assert error.value.hint.startswith("These weights were trained with data.charset=en_number ")
    with pytest.raises(PpedgeError) as error:  # that is not what keeps these from fitting
        load_weights(net, {**state, "more": state["head.fc.bias"]}, published)
    assert "data.charset" not in error.value.hint


def test_a_space_that_was_forgotten_is_named(theirs, tmp_path):
    dictionary = tmp_path / "dict.txt"
    dictionary.write_text("".join(f"{chr(0x4E00 + k)}\n" for k in range(95)), encoding="utf-8")
    recipe = tiny_recipe("rec", tmp_path, data={"charset": str(dictionary)}, train={"weights": str(theirs)})
    assert "data.use_space_char=true keeps the head" in started(recipe)[2][0]


def test_a_fresh_head_wants_a_dictionary_of_a_new_network(theirs, tmp_path):
    dictionary = tmp_path / "dict.txt"
    dictionary.write_text("a\nb\na\n")
    recipe = tiny_recipe("rec", tmp_path, data={"charset": str(dictionary)}, train={"weights": str(theirs)})
    with pytest.raises(PpedgeError, match=r"dict.txt, line 3: 'a' is on line 1 already"):
        started(recipe)


def test_a_threshold_head_that_is_missing_starts_fresh(tmp_path):
    path = tmp_path / "exported.pdparams"
    whole = state_of(Task(tiny_recipe("det", tmp_path, seed=1)).build())
    write_pdparams(path, {name: value for name, value in whole.items() if not name.startswith("head.thresh.")})
    after, before, said = started(tiny_recipe("det", tmp_path, train={"weights": str(path)}))
    for name, value in after.items():
        assert np.array_equal(value, (before if name.startswith("head.thresh.") else whole)[name]), name
    assert len(said) == 1 and "it has no threshold head" in said[0]


def test_of_a_distillations_checkpoint_the_student_is_taken_or_what_is_named(tmp_path):
    """PaddleOCR keeps all networks of a distillation in one file, under prefixes."""
    nets = {part: state_of(Task(tiny_recipe("det", tmp_path, seed=seed)).build())
            for seed, part in enumerate(("Student", "Student2", "Teacher"))}  # fmt: skip
    path = tmp_path / "cml.pdparams"
    write_pdparams(path, {f"{part}.{name}": value for part, state in nets.items() for name, value in state.items()})
    peers = {"twin": {"weights": str(path), "part": "Student2"}, "teacher": {"weights": str(path), "frozen": True}}
    losses = [{"name": "DB"}, {"name": "Dilated", "from": "teacher", "to": ["net", "twin"]}]
    recipe = tiny_recipe("det", tmp_path, seed=9, train={"weights": str(path), "peers": peers, "losses": losses})
    after, _, said = started(recipe)
    assert all(np.array_equal(value, after[name]) for name, value in nets["Student"].items())
    assert said == [f"train.weights {path}: the checkpoint of a distillation, of which Student is taken"]
    told = []
    trainee = build_trainee(Task(recipe), Task(recipe).build(), told.append)
    for name, part in (("twin", "Student2"), ("teacher", "Student")):
        found = state_of(trainee.networks()[name])
        assert all(np.array_equal(value, found[key]) for key, value in nets[part].items()), name
        assert f"train.peers.{name}.weights {path}: the checkpoint of a distillation, of which {part} is taken" in told
    recipe = tiny_recipe("det", tmp_path, train={"peers": peers | {"twin": {"weights": str(path), "part": "Teachr"}},
                                                 "losses": losses})  # fmt: skip
    with pytest.raises(PpedgeError, match=r"has no part Teachr; its parts are Student, Student2, Teacher\."):
        build_trainee(Task(recipe), Task(recipe).build())


def test_a_teacher_without_weights_is_told(tmp_path):
    losses = [{"name": "DB"}, {"name": "Dilated", "from": "teacher"}]
    recipe = tiny_recipe("det", tmp_path, train={"peers": {"teacher": {"frozen": True}}, "losses": losses})
    told = []
    build_trainee(Task(recipe), Task(recipe).build(), told.append)
    assert told == ["train.peers.teacher: is frozen and has no weights to start from: it teaches noise"]


def test_a_head_that_differs_in_more_than_its_classes_is_refused(theirs, tmp_path):
    path = tmp_path / "wide.pdparams"
    state = read_pdparams(theirs)
    write_pdparams(path, {**state, "head.fc.weight": np.vstack([state["head.fc.weight"]] * 2)})
    with pytest.raises(PpedgeError, match=r"1 of another shape \(head\.fc\.weight \[32, 97\] instead of \[16, 97\]"):
        started(tiny_recipe("rec", tmp_path, train={"weights": str(path)}))


def test_an_exported_detectors_weights_can_be_measured(ppedge_here, det_data, tmp_path):
    path, recipe = tmp_path / "exported.pdparams", tmp_path / "tiny.yml"
    whole = state_of(Task(tiny_recipe("det", det_data)).build())
    write_pdparams(path, {name: value for name, value in whole.items() if not name.startswith("head.thresh.")})
    recipe.write_text(yaml.safe_dump(recipe_dict("det", det_data)))
    code, out, err = ppedge_here("eval", recipe, "--weights", path, "--device", "cpu")
    assert code == 0 and out.startswith("eval: precision"), err


@pytest.mark.parametrize(
    ("task", "left", "told"),
    [
        ("det", "head.thresh.conv1", "1 missing (head.thresh.conv1.weight)"),
        ("det", "head.", "13 missing (head.binarize"),
        ("rec", "head.", "2 missing (head.fc.weight"),
        ("rec", "neck.", "missing (neck."),
    ],
)
def test_a_file_of_which_little_fits_is_refused(tmp_path, task, left, told):
    path = tmp_path / "part.pdparams"
    whole = state_of(Task(tiny_recipe(task, tmp_path)).build())
    write_pdparams(path, {name: value for name, value in whole.items() if not name.startswith(left)})
    with pytest.raises(PpedgeError) as error:
        started(tiny_recipe(task, tmp_path, train={"weights": str(path)}))
    assert told in error.value.message


def test_official_weights_are_known_in_any_file_and_refused_with_other_settings(published, tmp_path):
    again = tmp_path / "again.pdparams"  # in another order, as float64, without a part of the head
    state = read_pdparams(published)
    write_pdparams(again, {name: value.astype(np.float64) for name, value in reversed(state.items())})
    for path in (published, again):
        with pytest.raises(PpedgeError) as error:
            started(tiny_recipe("rec", tmp_path, model=with_strides([2, 2, 2, 2]), train={"weights": str(path)}))
        assert error.value.message == (
            f"train.weights {path}: names and shapes fit, but theirs_rec was trained with {STRIDES} [1,2,2,2], and the "
            "recipe has [2,2,2,2]."
        )
        assert f"Use --set '{STRIDES}=[1,2,2,2]', or" in error.value.hint


def test_all_that_differs_is_named_and_it_can_be_meant(published, tmp_path):
    dictionary = tmp_path / "dict.txt"
    dictionary.write_text("".join(f"{chr(0x4E00 + k)}\n" for k in range(96)), encoding="utf-8")
    sections = {
        "model": with_strides([2, 2, 2, 2]),
        "rec_preprocess": {"mean": 0.4},
        "data": {"charset": str(dictionary)},
    }
    with pytest.raises(PpedgeError) as error:
        started(tiny_recipe("rec", tmp_path, train={"weights": str(published)}, **sections))
    for told in ("small_stride [1,2,2,2]", "rec_preprocess.mean 0.5", "another data.charset with as many classes"):
        assert told in error.value.message
    meant = {"weights": str(published), "weights_check": "warn"}
    after, _, said = started(tiny_recipe("rec", tmp_path, train=meant, **sections))
    assert said == [f"note: {error.value.message}"]
    assert np.array_equal(after["head.fc.weight"], read_pdparams(published)["head.fc.weight"])


def test_with_their_own_settings_official_weights_load_without_a_word(published, tmp_path):
    assert started(tiny_recipe("rec", tmp_path, train={"weights": str(published)}))[2] == []


@pytest.mark.parametrize("added", [True, False])
def test_the_dictionary_of_official_weights_may_have_a_space_added(published, tmp_path, monkeypatch, added):
    entry = dataclasses.replace(known.KNOWN[0], charset="en_dict", use_space_char=added)
    monkeypatch.setattr(known, "KNOWN", (entry,))
    data = {"charset": "en_dict", "use_space_char": True}
    recipe = tiny_recipe("rec", tmp_path, data=data, train={"weights": str(published), "weights_check": "warn"})
    assert ["another data.charset" in line for line in started(recipe)[2]] == ([] if added else [True])


def test_a_peers_weights_are_held_against_its_settings_too(published, tmp_path):
    peer = {"weights": str(published), "frozen": True}
    losses = [{"name": "CTC"}, {"name": "DML", "between": ["net", "teacher"], "at": "logits"}]

    def built(**sections):
        recipe = tiny_recipe("rec", tmp_path, train={"peers": {"teacher": peer}, "losses": losses}, **sections)
        task = Task(recipe)
        return build_trainee(task, task.build())

    built()
    with pytest.raises(PpedgeError, match=r"^train\.peers\.teacher\.weights .* trained with rec_preprocess\.mean 0\.5"):
        built(rec_preprocess={"mean": 0.4})


def test_a_backbone_alone_has_strides_but_no_dictionary(published, tmp_path):
    recipe = tiny_recipe("rec", tmp_path, data={"charset": "plates"}, train={"backbone_weights": str(published)})
    started(recipe)
    other = recipe.model_copy(update={"model": tiny_recipe("rec", tmp_path, model=with_strides([2, 2, 2, 2])).model})
    with pytest.raises(PpedgeError, match=r"^train.backbone_weights .* trained with model.backbone.small_stride"):
        started(other)


def test_of_a_descendant_it_is_said_what_its_like_was_trained_with(published, tmp_path):
    tuned = tmp_path / "tuned.pdparams"
    write_pdparams(tuned, {name: value * 1.01 for name, value in read_pdparams(published).items()})
    other = tiny_recipe("rec", tmp_path, model=with_strides([2, 2, 2, 2]), train={"weights": str(tuned)})
    (line,) = started(other)[2]
    assert line.startswith(f"note: train.weights {tuned}: ") and "theirs_rec has the same layers" in line
    assert started(tiny_recipe("rec", tmp_path, train={"weights": str(tuned)}))[2] == []


@pytest.mark.parametrize(
    ("file", "model", "height", "charset", "key"),
    [
        ("en_PP-OCRv3_rec", V3_REC, 48, "en_dict", "last_pool_kernel_size"),
        ("ch_PP-OCRv3_rec_student", V3_REC, 48, "ppocr_keys_v1", "last_pool_type"),
        ("ch_PP-OCRv2_rec_student", V2_REC, 32, "ppocr_keys_v1", "last_pool_type"),
    ],
)
def test_settings_of_official_recognisers_that_no_shape_tells(shared_data, tmp_path, file, model, height, charset, key):
    """PP-OCRv2's backbone has the names and shapes of v3's: what lies beside it tells them apart in descendants."""
    official, tuned = shared_data / f"weights/{file}.pdparams", tmp_path / "tuned.pdparams"
    data = {"charset": charset, "use_space_char": True}
    fitting = tiny_recipe("rec", tmp_path, model=model, data=data, rec_preprocess={"height": height},
                          train={"weights": str(official)})  # fmt: skip
    assert started(fitting)[2] == []
    write_pdparams(tuned, {name: value * 1.01 for name, value in read_pdparams(official).items()})
    other = {"last_pool_kernel_size": [3, 2], "last_pool_type": "max" if height == 48 else "avg"}[key]
    changed = {**model, "backbone": {**model["backbone"], key: other}}
    of_official, of_tuned = (
        tiny_recipe("rec", tmp_path, model=changed, data=data, rec_preprocess={"height": height},
                    train={"weights": str(path)}) for path in (official, tuned)
    )  # fmt: skip
    with pytest.raises(PpedgeError, match=rf"was trained with model\.backbone\.{key} "):
        started(of_official)
    (note,) = started(of_tuned)[2]
    assert f"trained with model.backbone.{key} " in note and file[3:11] in note  # PP-OCRv2 or v3


def test_a_run_says_what_its_weights_were_trained_with(rec_data, tmp_path):
    run = Run(tmp_path / "run")
    once = {"epochs": 1, "max_steps": 1}
    run_train(tiny_recipe("rec", rec_data, train=once), run, device="cpu", reporter=Said())
    best = run.stage("train") / "best.pdparams"
    other = tiny_recipe("rec", rec_data, rec_preprocess={"std": 0.25}, train={"weights": str(best)})
    with pytest.raises(PpedgeError, match=r"the network of .*run was trained with rec_preprocess.std 0.5, and the"):
        started(other)
    assert started(tiny_recipe("rec", rec_data, train={"weights": str(best)}))[2] == []


def test_resume_names_the_key_that_differs_and_says_when_it_starts_anew(rec_data, tmp_path, monkeypatch):
    run, short = Run(tmp_path / "run"), {"epochs": 2, "checkpoint_every": 1, "eval_every": 9}
    recipe = tiny_recipe("rec", rec_data, train=short)

    with monkeypatch.context() as patch, pytest.raises(BoomError):
        patch.setattr(Task, "evaluate", lambda *_: (_ for _ in ()).throw(BoomError))
        run_train(recipe, run, device="cpu", reporter=Said())
    kept = run.partial("train") / "recipe.yml"
    before = kept.read_bytes()
    changed = tiny_recipe("rec", rec_data, train={**short, "learning_rate": 0.5, "workers": 1})
    with pytest.raises(
        PpedgeError, match=r"last.ckpt: was written with other settings: train.learning_rate was 0.001 "
    ):
        run_train(changed, run, device="cpu", resume=True, reporter=Said())
    assert kept.read_bytes() == before
    reporter = Said()
    run_train(recipe, run, device="cpu", resume=True, reporter=reporter)
    assert any("going on after step" in line for line in reporter.lines)
    fresh = Said()
    run_train(recipe, Run(tmp_path / "none"), device="cpu", resume=True, reporter=fresh)
    assert fresh.lines[0].endswith("no checkpoint of an interrupted training to go on from: it starts anew")


def test_the_official_recogniser_is_known(shared_data, tmp_path):
    weights = {"weights": str(shared_data / "weights/en_number_mobile_v2.0_rec_train.pdparams")}
    assert started(tiny_recipe("rec", tmp_path, model=OFFICIAL, train=weights))[2] == []
    with pytest.raises(PpedgeError, match=r"en_number_mobile_v2.0_rec was trained with .*small_stride \[1,2,2,2\]"):
        started(tiny_recipe("rec", tmp_path, model=with_strides([2, 2, 2, 2], OFFICIAL), train=weights))


def test_the_reparameterised_recogniser_starts_and_its_height_is_known(shared_data, tmp_path):
    model = {
        "backbone": {"name": "PPLCNetV3", "scale": 0.95, "folded": True}, "neck": None,
        "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 120, "kernel_size": [1, 3]}},
    }  # fmt: skip
    data = {"charset": "ppocr_keys_v1", "use_space_char": True}
    weights = {"weights": str(shared_data / "weights/ch_PP-OCRv4_rec_rep.pdparams")}
    sections = {"model": model, "data": data, "train": weights}
    assert started(tiny_recipe("rec", tmp_path, rec_preprocess={"height": 48}, **sections))[2] == []
    with pytest.raises(PpedgeError, match="ch_PP-OCRv4_rec was trained with rec_preprocess.height 48"):
        started(tiny_recipe("rec", tmp_path, rec_preprocess={"height": 32}, **sections))


@pytest.mark.parametrize(
    ("file", "backbone", "neck"),
    [
        ("ch_ppocr_mobile_v2.0_det_train", {"name": "MobileNetV3"}, "DBFPN"),
        ("ch_PP-OCRv2_det_student", {"name": "MobileNetV3"}, "DBFPN"),
        ("ch_PP-OCRv3_det_student", {"name": "MobileNetV3"}, "RSEFPN"),
        ("ch_PP-OCRv4_det_rep", {"name": "PPLCNetV3", "folded": True}, "RSEFPN"),
    ],
)
def test_official_detectors_are_known(shared_data, tmp_path, file, backbone, neck):
    model = {"backbone": backbone, "neck": {"name": neck}, "head": {"name": "DBHead"}}
    weights = {"weights": str(shared_data / f"weights/{file}.pdparams")}
    said = started(tiny_recipe("det", tmp_path, model=model, train=weights))[2]
    assert said == [] or "no threshold head" in said[0]
    normal = {"mean": [0.5, 0.5, 0.5]}
    with pytest.raises(PpedgeError, match="det_preprocess.mean .0.485,0.456,0.406., and the recipe has .0.5,0.5,0.5"):
        started(tiny_recipe("det", tmp_path, model=model, train=weights, det_preprocess=normal))


def test_a_shortcut_that_no_shape_tells_is_that_of_the_weights(shared_data, tmp_path):
    model = {
        "backbone": {"name": "MobileNetV3"}, "neck": {"name": "RSEFPN", "shortcut": False}, "head": {"name": "DBHead"},
    }  # fmt: skip
    weights = {"weights": str(shared_data / "weights/ch_PP-OCRv3_det_student.pdparams")}
    with pytest.raises(PpedgeError, match=r"ch_PP-OCRv3_det was trained with model\.neck\.shortcut true"):
        started(tiny_recipe("det", tmp_path, model=model, train=weights))


@pytest.fixture(scope="module")
def textrotnet(tmp_path_factory):
    """The run of recipes/textrotnet.yml after two steps on a few lines."""
    folder = tmp_path_factory.mktemp("textrotnet")
    data = make_data("cls", folder)
    recipe = load_recipe(
        Path(__file__).parents[2] / "recipes" / "textrotnet.yml",
        [f"data.root={data}", "data.synth=null", "cls_preprocess.width=96", "train.max_steps=2",
         "train.batch_size=2", "train.workers=0"],
    )  # fmt: skip
    run_train(recipe, Run(folder / "run"), device="cpu", reporter=Said())
    return recipe, folder / "run" / "train" / "best.pdparams"


def pretrained(recipe, path, tmp_path, **backbone):
    model = {
        "backbone": {**recipe.model.backbone.model_dump(), **backbone},
        "neck": None,
        "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 16, "hidden_dims": 24}},
    }
    return tiny_recipe("rec", tmp_path, model=model, train={"backbone_weights": str(path)})


def test_textrotnet_starts_the_backbone_of_a_recogniser(textrotnet, tmp_path):
    recipe, path = textrotnet
    found, before, said = started(pretrained(recipe, path, tmp_path))
    taken = read_pdparams(path)
    backbone = [name for name in found if name.startswith("backbone.")]
    assert len(backbone) > 50 and all(np.array_equal(found[name], taken[name]) for name in backbone)
    assert sum(np.array_equal(found[name], before[name]) for name in backbone if name.endswith("conv.weight")) == 0
    rest = [name for name in found if name not in backbone]
    assert rest and all(np.array_equal(found[name], before[name]) for name in rest)
    assert said == [
        f"train.backbone_weights {path}: the backbone starts from it; 2 of its entries have no place in this network"
    ]


def test_textrotnet_of_other_strides_than_the_recogniser_is_told(textrotnet, tmp_path):
    recipe, path = textrotnet
    with pytest.raises(PpedgeError, match="last_conv_stride"):
        started(pretrained(recipe, path, tmp_path, last_conv_stride=1))


def test_a_peer_starts_from_a_backbone_of_its_own(textrotnet, tmp_path):
    model, path = pretrained(*textrotnet, tmp_path).model.model_dump(), textrotnet[1]
    losses = [{"name": "CTC"}, {"name": "DML", "between": ["net", "twin"], "at": "logits"}]
    train = {"peers": {"twin": {"backbone_weights": str(path)}}, "losses": losses}
    recipe = tiny_recipe("rec", tmp_path, model=model, train=train)
    assert weight_files(recipe) == {"train.peers.twin.backbone_weights": path}
    task, said = Task(recipe), []
    twin = state_of(build_trainee(task, task.build(), said.append).peers["twin"])
    backbone = [(name, value) for name, value in read_pdparams(path).items() if name.startswith("backbone.")]
    assert len(backbone) > 50 and all(np.array_equal(twin[name], value) for name, value in backbone)
    assert said[0].startswith(
        f"train.peers.twin.backbone_weights {path}: the backbone starts from it; 2 of its entries"
    )
