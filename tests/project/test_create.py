"""`ppedge init`: what it takes, what it writes, what it refuses; its recipes load and train as they stand."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from courses import course
from ppedge.data.check import check
from ppedge.data.formats import detection_line
from ppedge.data.lookup import SPLITS
from ppedge.data.source import read_samples
from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.published import PUBLISHED
from ppedge.models.weights import state_of, write_pdparams
from ppedge.project.create import create
from ppedge.project.recipes import Wanted, write_recipe
from ppedge.project.weights import Classes, Start, choose_classes
from ppedge.recipe.io import load_recipe
from ppedge.recipe.networks import Model
from ppedge.train.loop import fit
from test_docs import wrong_with

PLATE = "京P1L3N6"
QUAD = np.float32([[4, 4], [60, 4], [60, 20], [4, 20]])
CCPD = "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_{}_24_32_26_33-37-15.jpg"


def picture(path, height=32, width=80):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    return path.name


def detection(folder, count, text=PLATE):
    return [detection_line(picture(folder / f"{k}.jpg"), [QUAD], [text]) for k in range(count)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def labels(here):
    """Twenty pictures with detection labels in PPOCR format."""
    lines = detection(here / "pictures", 20)
    (here / "pictures/all.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return here / "pictures/all.txt"


def ppocrlabel(here):
    lines = detection(here / "photos", 20)
    (here / "photos/Label.txt").write_text("".join(f"photos/{line}\n" for line in lines), encoding="utf-8")
    (here / "photos/fileState.txt").write_text("".join(f"C:\\photos\\{k}.jpg\t1\n" for k in range(18)))
    return here / "photos", (14, 4, 0)


def split_already(here):
    lines = detection(here / "photos", 6)
    (here / "photos/train.txt").write_text("\n".join(lines[:3]), encoding="utf-8")
    (here / "photos/val.txt").write_text("\n".join(lines[3:5]), encoding="utf-8")
    (here / "photos/test.txt").write_text(lines[5], encoding="utf-8")
    return here / "photos", (3, 2, 1)


def ccpd(here):
    for number in range(5):
        picture(here / "ccpd" / CCPD.format(number), 500, 400)
    return here / "ccpd", (4, 1, 0)


def lines_alone(here):
    lines = [f"{picture(here / 'crops' / f'{k}.jpg')}\t{PLATE}" for k in range(20)]
    (here / "crops/labels.txt").write_text("\n".join(lines), encoding="utf-8")
    return here / "crops", (16, 2, 2)


@pytest.mark.parametrize("given", [ppocrlabel, split_already, ccpd, lines_alone])
def test_labels_of_each_kind_become_recipes_whose_data_is_there(given, here):
    data, counts = given(here)
    made = create(Path("mine"), "plates", data=data.relative_to(here))
    assert list(made.recipes) == (["rec"] if given is lines_alone else ["det", "rec"])
    for task, file in made.recipes.items():
        recipe = load_recipe(here / "mine" / file)
        assert (recipe.task, recipe.name) == (task, f"mine_{task}")
        parts = [read_samples(recipe, part)[0] if getattr(recipe.data, part) else [] for part in SPLITS]
        assert tuple(map(len, parts)) == counts
        names = [{sample.image for sample in part} for part in parts]
        assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


@pytest.fixture
def photos(here):
    """PPOCRLabel's folder: forty pictures, two or three lines of each cut out, which are named as it names them."""
    lines = detection(here / "photos", 40)
    (here / "photos/Label.txt").write_text("".join(f"photos/{line}\n" for line in lines), encoding="utf-8")
    crops = [f"crop_img/{k}_crop_{n}.jpg" for k in range(40) for n in range(2 + k % 2)]
    for crop in crops:
        picture(here / "photos" / crop)
    (here / "photos/rec_gt.txt").write_text("".join(f"{crop}\t{PLATE}\n" for crop in crops), encoding="utf-8")
    return here / "photos"


def parts_by_picture(folder):
    """Return in which parts the lines or regions of each picture are."""
    found = {}
    for part, file in SPLITS.items():
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            name = Path(line.partition("\t")[0]).stem
            found.setdefault(name.partition("_crop_")[0], set()).add(part)
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_crops_are_in_the_parts_of_their_pictures(photos, here, seed):
    create(here / "both", "plates", data=photos, seed=seed)
    made = create(here / "lines", "plates", data=photos / "rec_gt.txt", seed=seed)
    assert parts_by_picture(here / "lines") == parts_by_picture(here / "both")
    assert "crops are in the parts that their pictures have as Label.txt beside them is split" in made.told


def test_crops_follow_label_files_that_their_folder_has_been_split_into(photos, here):
    lines = (photos / "Label.txt").read_text(encoding="utf-8").replace("photos/", "").splitlines(keepends=True)
    for k, file in enumerate(SPLITS.values()):
        (photos / file).write_text("".join(lines[k:30:3]), encoding="utf-8")
    create(here / "lines", "plates", data=photos / "rec_gt.txt")
    found = parts_by_picture(here / "lines")
    assert found == {str(k): {list(SPLITS)[k % 3] if k < 30 else "train"} for k in range(40)}


def test_crops_without_labels_of_their_pictures_are_kept_together(photos, here):
    (photos / "Label.txt").write_text("photos/none.jpg\t[]\n")  # nothing that can be split
    made = create(here / "lines", "plates", data=photos / "rec_gt.txt")
    found = parts_by_picture(here / "lines")
    assert all(len(parts) == 1 for parts in found.values())
    assert [len((here / "lines" / file).read_bytes().splitlines()) for file in SPLITS.values()] == [80, 10, 10]
    assert "crops of one picture, by their names, are kept together: of 40 pictures" in made.told
    alone = create(here / "alone", "plates", data=photos / "rec_gt.txt", group=".*")
    assert any(len(parts) > 1 for parts in parts_by_picture(here / "alone").values())
    assert not any("crops of one" in line for line in alone.told)


def test_crops_of_too_few_pictures_are_refused(photos, here):
    file = photos / "rec_gt.txt"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:10]), encoding="utf-8")
    with pytest.raises(PpedgeError, match="none of its crops is of a picture in the val.txt of Label.txt beside it"):
        create(here / "mine", "plates", data=file)
    (photos / "Label.txt").unlink()
    with pytest.raises(PpedgeError, match="rec_gt.txt: 4 pictures with labels: too few"):
        create(here / "mine", "plates", data=file)


def test_what_nobody_has_confirmed_is_told(here):
    photos, _ = ppocrlabel(here)
    assert any(
        "no label of theirs is confirmed: 2" in line for line in create(here / "mine", "plates", data=photos).told
    )
    (photos / "fileState.txt").unlink()
    told = create(here / "all", "plates", data=photos).told
    assert any("no fileState.txt in it: pictures that nobody has confirmed are taken too" in line for line in told)


def test_recipes_work_from_any_folder(labels, here, monkeypatch, tmp_path_factory):
    create(Path("mine"), "plates", data=Path("pictures/all.txt"))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert len(read_samples(load_recipe(here / "mine/rec.yml"), "train")[0]) == 16


def test_a_seed_gives_the_same_parts_and_another_others(labels, here):
    def parts(name, **options):
        create(here / name, "plates", data=labels, **options)
        return [(here / name / file).read_bytes() for file in SPLITS.values()]

    first = parts("a")
    assert parts("b") == first != parts("c", seed=1)
    together = parts("d", group="^.")  # 1, 10, 11, ... begin alike
    assert sum(b"\n1" in b"\n" + part for part in together) == 1


def test_a_name_with_a_comma_or_a_hash_stands_in_the_recipe(here):
    lines = detection(here / "my, [pic] #1: tures", 5)
    (here / "my, [pic] #1: tures/all.txt").write_text("\n".join(lines), encoding="utf-8")
    create(Path("mine"), "words", data=Path("my, [pic] #1: tures/all.txt"))
    assert load_recipe(here / "mine/det.yml").data.root == here / "my, [pic] #1: tures"


def written(path, network, classes=11):
    """Write weights of a published network."""
    write_pdparams(path, state_of(zoo.build(Model.model_validate(network.model), network.task, classes)))
    return path


@pytest.fixture(scope="module")
def det_weights(tmp_path_factory):
    return written(tmp_path_factory.mktemp("det") / "det.pdparams", PUBLISHED[0])


@pytest.fixture(scope="module")
def rec_weights(tmp_path_factory):
    return written(tmp_path_factory.mktemp("rec") / "rec.pdparams", next(one for one in PUBLISHED if one.task == "rec"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"data": "nowhere"}, "nowhere: no such file or folder"),
        ({"data": "empty"}, "empty: a folder without labels"),
        ({"data": "pictures/few.txt"}, "pictures/few.txt: 4 pictures with labels: too few"),
        ({"data": "pictures/bad.txt"}, "bad.txt:2: no tab between path and label"),
        ({"data": "pictures/broken.txt"}, "broken.txt:3: pictures/broken.jpg: "),
        ({"weights": ["DET", "DET"]}, "of a detector, and so is"),
        ({"weights": ["none.pdparams"]}, "none.pdparams: no such file"),
        ({"weights": ["backbone.pdparams"]}, "weights of no whole network that PaddleOCR has published"),
        ({"weights": ["empty"]}, "empty: a folder, not a .pdparams file"),
        ({"weights": ["REC"]}, "a recogniser of 11 classes, and nothing says of which characters"),
        ({"data": "crops", "weights": ["DET"]}, "of a detector, and here nothing teaches one"),
        ({"charset": "nothing"}, "nothing"),
        ({"data": "pictures/all.txt", "group": "zz"}, "--group 'zz': found in no picture's path"),
    ],
)
def test_what_is_refused_is_one_sentence_and_leaves_nothing(options, told, labels, here, det_weights, rec_weights):
    lines = labels.read_text(encoding="utf-8").splitlines()
    (here / "pictures/broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    files = {"few": lines[:4], "bad": [lines[0], "no tab", *lines[1:]],
             "broken": [*lines[:2], "broken.jpg\t[]", *lines[3:]]}  # fmt: skip
    for name, content in files.items():
        (here / f"pictures/{name}.txt").write_text("\n".join(content), encoding="utf-8")
    (here / "empty").mkdir()
    lines_alone(here)
    write_pdparams(here / "backbone.pdparams", {"conv.conv.weight": np.zeros((2, 3), np.float32)})
    options = {key: Path(value) if key == "data" else value for key, value in options.items()}
    weights = {"DET": det_weights, "REC": rec_weights}
    options["weights"] = [weights.get(one, Path(one)) for one in options.get("weights", [])]
    before = sorted(here.rglob("*"))
    with pytest.raises(PpedgeError) as error:
        create(Path("mine"), "plates", **options)
    assert told in error.value.message and error.value.hint
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("content", [b"no picture", b"\xff\xd8\xff", None])
def test_a_broken_picture_is_told_with_the_line_of_the_users_own_file(content, here):
    """Whether its head is bad, or only its end, it is the line that `ppedge data check` names, in one sentence."""
    photos, _ = ppocrlabel(here)
    whole = (photos / "2.jpg").read_bytes()
    for name in ("2.jpg", "5.jpg"):
        (photos / name).write_bytes(whole[: len(whole) - 60] if content is None else content)
    found = check([photos / "Label.txt"], here, "detection").problems
    assert [problem.line for problem in found] == [3, 6]
    with pytest.raises(PpedgeError) as error:
        create(Path("mine"), "plates", data=photos)
    assert "Label.txt:3: " in error.value.message and error.value.message.endswith(", and 1 more.")
    assert ".." not in error.value.message and ".," not in error.value.message


@pytest.mark.parametrize("name", ["taken", "a b", "é"])
def test_a_folder_that_is_there_or_cannot_name_a_run_is_refused(name, here, labels):
    (here / "taken").mkdir()
    (here / "taken/mine.txt").write_text("mine")
    with pytest.raises(PpedgeError, match="there already|a name of letters"):
        create(Path(name), "plates", data=labels)
    assert [path.name for path in (here / "taken").iterdir()] == ["mine.txt"]


def test_bad_labels_are_left_out_where_that_is_asked_for(labels, here):
    lines = labels.read_text(encoding="utf-8").splitlines()
    (here / "pictures/7.jpg").write_bytes(b"no picture")
    labels.write_text("\n".join(["no tab", *lines]), encoding="utf-8")
    made = create(Path("mine"), "plates", data=labels, skip_bad=True)
    assert any("2 bad labels are left out" in line for line in made.told)
    recipe = load_recipe(here / "mine/det.yml")
    assert sum(len(read_samples(recipe, part)[0]) for part in ("train", "eval")) == 19


def test_what_is_to_be_seen_to_is_said(labels, here, rec_weights):
    lines = detection(here / "more", 30, "TOTAL £1 for ALL OF IT")
    labels.with_name("more.txt").write_text("\n".join(f"../more/{line}" for line in lines), encoding="utf-8")
    made = create(Path("plain"), "words", data=labels.with_name("more.txt"))
    told = "\n".join(made.missing)
    assert "det.yml: without weights it trains from nothing" in told and "500 epochs" in told
    assert "rec.yml: 30 of 30 lines have characters that en_number lacks, and are left out: '£' 30" in told
    made = create(Path("long"), "plates", data=labels.with_name("more.txt"), charset="ascii", weights=[rec_weights])
    told = "\n".join(made.missing)
    assert "its head starts fresh" in told and "30 of 30 lines are longer than data.max_text_length, 8" in told
    recipe = load_recipe(here / "long/rec.yml")
    assert (recipe.data.charset, recipe.train.epochs, recipe.train.learning_rate) == ("ascii", 20, 1e-3)
    assert "synthetic streets and plates" in create(Path("drawn"), "plates").missing[0]


@pytest.mark.parametrize(
    ("classes", "dictionary", "asked", "chosen"),
    [
        (97, ("en_dict", True), None, ("en_dict", True, True)),
        (97, ("en_dict", True), "en_dict", ("en_dict", True, True)),
        (97, ("en_dict", True), "ascii", ("ascii", False, False)),  # with a space it would have as many
        (97, ("en_dict", True), "en_number", "--charset en_number: has as many classes as"),
        (96, None, "ascii", ("ascii", False, True)),
        (97, None, "ascii", ("ascii", True, True)),
        (98, None, "ascii", ("ascii", False, False)),
        (98, None, None, "a recogniser of 98 classes, and nothing says"),
    ],
)
def test_a_recognisers_characters_are_those_of_its_weights_or_of_a_new_head(classes, dictionary, asked, chosen):
    start = Start(Path("w"), "rec", "x", "ppocrv3_rec", False, classes, dictionary)
    if isinstance(chosen, str):
        with pytest.raises(PpedgeError, match=chosen):
            choose_classes(start, asked, "")
    else:
        assert choose_classes(start, asked, "") == Classes(*chosen)
    assert choose_classes(None, None, "") is None
    if asked is None and dictionary:  # plates need more than it has
        assert choose_classes(start, None, "京") is None


def test_labels_in_capitals_are_told_from_what_is_printed(labels, here, rec_weights):
    lines = detection(here / "more", 30, "THANK YOU")
    labels.with_name("more.txt").write_text("\n".join(f"../more/{line}" for line in lines), encoding="utf-8")
    options = {"data": labels.with_name("more.txt"), "weights": [rec_weights], "charset": "ascii"}
    made = create(Path("capitals"), "receipts", **options)
    recipe = load_recipe(here / "capitals/rec.yml")
    assert recipe.metric == "upper_alnum" and recipe.train.losses[0].ignore_case
    assert any("no label has a small letter" in line for line in made.missing)
    assert any("delete its lines metric: and, below train:, losses:" in line for line in made.missing)
    lines = (here / "capitals/rec.yml").read_text(encoding="utf-8").splitlines(keepends=True)
    rest = [line for line in lines if not line.startswith(("metric:", "  losses:"))]
    (here / "capitals/exact.yml").write_text("".join(rest), encoding="utf-8")
    exact = load_recipe(here / "capitals/exact.yml")
    assert (
        len(lines) - len(rest) == 2
        and exact.metric == "strict"
        and not any(loss.ignore_case for loss in exact.train.losses)
    )


def test_the_command_prints_what_to_type_next(ppedge_here, labels, here):
    code, out, err = ppedge_here("init", "mine", "--task", "words", "--data", labels)
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out[out.index("next:") :].splitlines()]
    assert lines[1] == "cd mine"
    assert lines[-7:-2] == [
        "ppedge bundle runs/mine_det runs/mine_rec --out bundle",
        "ppedge bundle verify bundle",
        "ppedge bundle runs/mine_det runs/mine_rec --onnx --out pc_bundle",
        f"ppedge eval --e2e pc_bundle test.txt --root {here / 'pictures'}",
        "ppedge bundle --out bundle --into APP",
    ]
    assert lines[-2].startswith("APP: ") and "with --onnx" in lines[-1]
    code, out, _ = ppedge_here("init", "other", "--task", "words", "--data", labels, "--json")
    value = json.loads(out)
    assert code == 0 and value["folder"] == "other" and value["recipes"] == {"det": "det.yml", "rec": "rec.yml"}
    assert value["next"][:2] == ["cd other", "ppedge data show det.yml --out det.html"]
    code, out, err = ppedge_here("init", "mine", "--task", "words")
    assert code == 2 and "mine: there already" in err and not out


@pytest.mark.parametrize(("given", "file"), [(ppocrlabel, "val.txt"), (split_already, "test.txt"), (lines_alone, None)])
def test_the_bundle_is_measured_on_what_is_kept_aside_where_pages_are_labelled(given, file, here):
    data, _ = given(here)
    found = [line for line in create(Path("mine"), "words", data=data, charset="plates").next if "--e2e" in line]
    assert found == ([] if file is None else [f"ppedge eval --e2e pc_bundle {file} --root {data}"])


@pytest.mark.parametrize("given", [None, ppocrlabel, lines_alone])
@pytest.mark.parametrize("about", ["receipts", "words"])
def test_each_command_that_is_printed_parses(ppedge_here, here, rec_weights, about, given):
    options = ["--charset", "plates", *([] if given is None else ["--data", given(here)[0]])]
    code, out, err = ppedge_here(
        "init", here / "my texts" / "mine", "--task", about, "--weights", rec_weights, *options
    )
    assert code == 0, err
    whole = [line.strip() for line in out[out.index("next:") :].splitlines() if line.startswith("  ppedge ")]
    within = re.findall(r"`(ppedge [^`]+)`", out)
    assert len(whole) >= 6 and within
    assert not [wrong for line in whole if (wrong := wrong_with(line, whole=True))]
    assert not [wrong for line in within if (wrong := wrong_with(line, whole=False))]


def parts_of(model):
    """Return what of a network's settings its weights have: not what bends the loss alone."""
    parts = {name: dict(part or {}) for name, part in model.model_dump().items()}
    for key in ("k", "fix_nan"):
        parts["head"].pop(key, None)
    return parts


@pytest.mark.parametrize("network", [one for one in PUBLISHED if one.task != "cls"], ids=lambda one: one.name)
def test_every_published_network_has_recipes_that_load_with_it(network, tmp_path):
    folded = bool(network.model["backbone"].get("folded"))
    start = Start(tmp_path / "w.pdparams", network.task, "x", network.recipe, folded, 11, None)
    models = set()
    for about in ("plates", "receipts", "words"):
        file = tmp_path / f"{about}.yml"
        classes = Classes("ascii", True, True) if network.task == "rec" else None
        file.write_text(write_recipe(Wanted(about, network.task, about, file, None, start, classes)), encoding="utf-8")
        recipe = load_recipe(file)
        models.add(recipe.model.model_dump_json())
        assert recipe.train.freeze_bn and recipe.train.weights == start.path
    assert len(models) == 1
    assert parts_of(recipe.model) == parts_of(Model.model_validate(network.model))


@pytest.mark.parametrize("place", ["plates det", "plates rec", "receipts det", "receipts rec", "words rec"])
def test_a_recipe_trains_as_it_stands(place, here):
    """But for the number of pictures, of steps and of what is in each of them."""
    about, task = place.split()
    create(Path("mine"), about)
    value = yaml.safe_load(Path(f"mine/{task}.yml").read_text(encoding="utf-8"))
    kind = value["data"]["synth"]["kind"]
    few = [f"data.synth={{kind: {kind}, train: 2, eval: 1, test: 1}}", "train.max_steps=1", "train.batch_size=1"]
    few += ["train.det_augment.crop=64", "det_preprocess.limit_side=64"] if task == "det" else []
    recipe = load_recipe(Path(f"mine/{task}.yml"), [*few, "train.workers=0"])
    assert fit(course(recipe, here / "run", evaluated=1)).steps == 1
