from copy import deepcopy

import pytest
import yaml

from paddleocr_configs import optimizer, published, said
from ppedge.errors import PpedgeError
from ppedge.migrate.recipe import migrate

PUBLISHED = published()


def test_findings_name_the_lines(config):
    text = yaml.safe_dump(PUBLISHED["v3_det_cml"], sort_keys=False)
    made = migrate(config(text))
    lines = text.splitlines()
    for key, written in {
        "Global.epoch_num": "epoch_num: 500",
        "Loss.loss_config_list.1.DistillationDMLLoss.maps_name": "maps_name: thrink_maps",
        "Train.dataset.transforms.4.EastRandomCropData.max_tries": "max_tries: 50",
        "Architecture.Models.Teacher.freeze_params": "freeze_params: true",
    }.items():
        line = next(one.line for one in made.findings if one.key == key)
        assert lines[line - 1].strip() == written
    assert [one.line or 0 for one in made.findings] == sorted(one.line or 0 for one in made.findings)


def test_what_the_recipe_says_of_the_rest(migrated):
    made = migrated(PUBLISHED["v3_det_cml"])
    assert made.recipe["name"] == "theirs"
    assert made.recipe["data"] == {"root": "train_data", "train": ["train.txt"], "eval": ["val.txt"]}
    assert made.recipe["det_postprocess"] == {"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}
    assert made.recipe["det_preprocess"]["limit_side"] == 736
    train = made.recipe["train"]
    assert train["det_augment"] == {
        "flip": 0.5, "rotate": 10, "scale": [0.5, 3], "color": 0.0, "copy_paste": 1.0, "crop": 960
    }  # fmt: skip
    assert (train["epochs"], train["batch_size"], train["workers"]) == (500, 8, 4)
    assert (train["learning_rate"], train["warmup_epochs"], train["l2"]) == (0.001, 2, 5e-5 / 8)
    assert said(made, "Optimizer.regularizer.factor")[0] == "changed"
    assert train["peers"]["twin"] == {"model": "same"}
    teacher = train["peers"]["teacher"]
    assert teacher["frozen"] and teacher["batch_statistics"] and teacher["model"]["neck"]["name"] == "LKPAN"


def test_what_the_recipe_says_of_a_recogniser(migrated):
    made = migrated(PUBLISHED["v3_rec_distill"])
    assert made.recipe["data"]["charset"] == "ppocr_keys_v1" and made.recipe["data"]["use_space_char"]
    assert made.recipe["rec_preprocess"] == {"height": 48, "min_width": 320, "max_width": 320}
    assert made.recipe["metric"] == "strict"
    assert made.recipe["train"]["decay"] == {"name": "piecewise", "epochs": [705], "factors": [0.1]}
    assert made.recipe["train"]["head_l2"] == 1e-5
    assert made.recipe["train"]["peers"] == {"twin": {"model": "same"}}
    assert made.recipe["train"]["guides"][0]["backbone_alone"]
    assert made.recipe["train"]["rec_augment"]["concat"] == 0.5 and made.recipe["train"]["rec_augment"]["tia"] == 0.4
    assert made.recipe["model"]["backbone"]["last_pool_kernel_size"] == [2, 2]
    assert "2023-04" in next(one.sentence for one in made.findings if "last_pool_kernel_size" in one.sentence)


def test_resnet_means_resnet_vd_and_it_says_so(migrated):
    value = deepcopy(PUBLISHED["v2_det_res18"])
    value["Architecture"]["Backbone"] = {"name": "ResNet", "layers": 18}
    made = migrated(value)
    assert made.recipe["model"]["backbone"] == {"name": "ResNet_vd", "layers": 18}
    assert said(made, "Architecture.Backbone.name")[0] == "changed"


def test_svtr_beside_the_head_moves_into_it(migrated):
    value = deepcopy(PUBLISHED["v3_rec"])
    neck = {"name": "SequenceEncoder", "encoder_type": "svtr", "dims": 64, "depth": 2, "hidden_dims": 120}
    value["Architecture"] |= {"Neck": neck, "Head": {"name": "CTCHead", "fc_decay": 1e-5}}
    value["Loss"] = {"name": "CTCLoss"}
    made = migrated(value)
    assert "neck" not in made.recipe["model"] and made.recipe["model"]["head"]["neck"]["name"] == "SVTR"
    assert made.recipe["train"]["head_l2"] == 1e-5


@pytest.mark.parametrize(
    ("named", "key", "path"),
    [
        ("pre/student", "weights", "pre/student.pdparams"),
        ("pre/ResNet18_vd_pretrained", "backbone_weights", "pre/ResNet18_vd_pretrained.pdparams"),
        ("https://host/x/MobileNetV3_large_x0_5_pretrained.pdparams", "backbone_weights",
         "MobileNetV3_large_x0_5_pretrained.pdparams"),
    ],
)  # fmt: skip
def test_weights_to_start_from(migrated, named, key, path):
    made = migrated(PUBLISHED["v3_det_student"], f"Global.pretrained_model={named}")
    assert made.recipe["train"][key] == path
    assert said(made, "Global.pretrained_model")[0] == ("changed" if "://" in named else "taken")


def test_a_checkpoint_goes_before_weights(migrated):
    value = deepcopy(PUBLISHED["v3_det_student"])
    value["Global"] |= {"pretrained_model": "ResNet_x", "checkpoints": "out/latest"}
    made = migrated(value)
    assert made.recipe["train"]["weights"] == "out/latest.pdparams" and "backbone_weights" not in made.recipe["train"]
    assert said(made, "Global.checkpoints")[0] == "changed"


def test_the_networks_of_a_distillation_start_from_their_own_weights(migrated):
    value = deepcopy(PUBLISHED["v2_det_cml"])
    value["Architecture"]["Models"]["Student"]["pretrained"] = "pre/MobileNetV3_large"
    value["Architecture"]["Models"]["Student2"]["pretrained"] = "pre/MobileNetV3_large"
    value["Architecture"]["Models"]["Teacher"]["pretrained"] = "pre/teacher/best_accuracy"
    made = migrated(value)
    train = made.recipe["train"]
    assert train["backbone_weights"] == "pre/MobileNetV3_large.pdparams"
    assert train["peers"]["teacher"]["weights"] == "pre/teacher/best_accuracy.pdparams"
    assert train["peers"]["twin"]["backbone_weights"] == "pre/MobileNetV3_large.pdparams"


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        (0.001, {"learning_rate": 0.001, "decay": {"name": "constant"}}),
        ({"learning_rate": 0.002}, {"learning_rate": 0.002, "decay": {"name": "constant"}, "warmup_epochs": 0}),
        ({"name": "Const", "learning_rate": 2, "warmup_epoch": 1}, {"warmup_epochs": 1, "decay": {"name": "constant"}}),
        ({"name": "Cosine", "learning_rate": "1e-4"}, {"learning_rate": 1e-4}),
        ({"name": "MultiStepDecay", "learning_rate": 0.1, "milestones": [2, 4], "gamma": 0.5},
         {"decay": {"name": "piecewise", "epochs": [2, 4], "factors": [0.5, 0.25]}}),
        ({"name": "Piecewise", "values": [0.1], "decay_epochs": [7]}, {"decay": {"name": "constant"}}),
        ({"name": "OneCycle", "max_lr": 0.01}, {"learning_rate": 0.01}),
    ],
)  # fmt: skip
def test_schedules(migrated, rate, wanted):
    value = PUBLISHED["v3_det_student"] | {"Optimizer": optimizer(rate, 0)}
    train = migrated(value).recipe["train"]
    assert {key: train[key] for key in wanted} == wanted
    assert ("decay" in train) == ("decay" in wanted)


def test_shares_of_label_files(migrated):
    value = deepcopy(PUBLISHED["v3_det_student"])
    value["Train"]["dataset"] |= {"label_file_list": ["train_data/a.txt", "/b.txt"], "ratio_list": [1.0, 0.3]}
    assert migrated(value).recipe["data"]["train"] == ["a.txt", {"file": "/b.txt", "ratio": 0.3}]


def test_heights_that_batches_take_turns_in(migrated):
    value = deepcopy(PUBLISHED["v4_rec"])
    value["Train"]["sampler"] = {
        "name": "MultiScaleSampler",
        "scales": [[320, 32], [320, 48], [320, 64]],
        "first_bs": 96,
    }
    made = migrated(value)
    assert made.recipe["train"]["heights"] == [32, 48, 64] and made.recipe["train"]["batch_size"] == 96


def test_a_folder_of_its_own_for_evaluation_is_left_out(migrated):
    value = deepcopy(PUBLISHED["v3_det_student"])
    value["Eval"]["dataset"]["data_dir"] = "elsewhere"
    assert said(migrated(value), "Eval.dataset.data_dir")[0] == "left out"


def test_changes_from_the_command_line_have_no_line(migrated):
    made = migrated(PUBLISHED["v3_det_student"], "Global.epoch_num=3", "Optimizer.lr.learning_rate=0.5")
    assert (made.recipe["train"]["epochs"], made.recipe["train"]["learning_rate"]) == (3, 0.5)
    assert next(one.line for one in made.findings if one.key == "Global.epoch_num") is None


def test_a_key_that_is_there_twice_counts_as_it_does_in_paddleocr(migrated):
    text = yaml.safe_dump(PUBLISHED["v3_det_student"], sort_keys=False)
    made = migrated(text.replace("epoch_num: 500", "epoch_num: 500\n  epoch_num: 9"))
    assert made.recipe["train"]["epochs"] == 9
    assert ("changed", "the key is there more than once; the last counts, as in PaddleOCR") in [
        (one.verdict, one.sentence) for one in made.findings if one.key == "Global.epoch_num"
    ]


@pytest.mark.parametrize(
    ("keys", "wrong", "told"),
    [
        (("Architecture", "algorithm"), "EAST", "'EAST' is no algorithm that ppedge has for the task det. It has DB."),
        (("Architecture", "model_type"), "kie", "Architecture.model_type: 'kie' is no task that ppedge has."),
        (("Architecture", "Backbone", "name"), "SwinTransformer", "'SwinTransformer' is no backbone of the task det"),
        (("Architecture", "Neck", "name"), "SASTFPN", "'SASTFPN' is no neck of a detector that ppedge has."),
        (("Architecture", "Head", "name"), "EASTHead", "'EASTHead' is no head of the task det that ppedge has."),
        (("Architecture", "Transform"), {"name": "TPS"}, "no network with a transform before its backbone"),
        (("Architecture", "Backbone"), [1], "Architecture.Backbone: must hold keys, not [1]."),
        (("Architecture", "Backbone", "name"), 3, "Architecture.Backbone.name: must be a text, not 3."),
        (("Loss", "name"), "EASTLoss", "Loss.name: 'EASTLoss' is no loss that ppedge has."),
        (("Optimizer", "lr", "learning_rate"), "high", "Optimizer.lr.learning_rate: must be a number, not 'high'."),
        (("Train", "dataset", "name"), "LMDBDataSet", "'LMDBDataSet' is no data set that ppedge reads."),
        (("Train", "dataset", "transforms"), 3, "Train.dataset.transforms: must be a list, not 3."),
        (("Train", "dataset", "transforms"), [{"a": 1, "b": 2}], "must list one NAME: {...} each"),
        (("Train", "dataset", "label_file_list"), [3], "label_file_list: must list files, not 3."),
        (("Train", "dataset", "ratio_list"), [0.5, 0.5], "ratio_list: has 2 ratios for 1 files."),
        (("Global", "epoch_num"), {"a": 1}, "Global.epoch_num: must be a value, not {'a': 1}."),
    ],
)
def test_what_ppedge_has_not_is_refused_by_name(config, keys, wrong, told):
    value = deepcopy(PUBLISHED["v3_det_student"])
    inner = value
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = wrong
    path = config(value)
    with pytest.raises(PpedgeError) as error:
        migrate(path)
    assert told in str(error.value) and str(error.value).startswith(f"{path}:") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "theirs.yml: not a configuration: it holds no keys."),
        ("task: det\n", "theirs.yml: not a configuration of PaddleOCR 2.x: it has no section Architecture."),
        ("a: [\n", "theirs.yml:2: not YAML: "),
        ("Architecture: &a [*a]\n", "theirs.yml:1: Architecture: must hold keys"),
        ("Architecture: {model_type: det, Backbone: {name: MobileNetV3, scale: &s [*s]}}", "must be a value"),
    ],
)
def test_what_is_no_configuration(config, text, told):
    with pytest.raises(PpedgeError) as error:
        migrate(config(text))
    assert told in str(error.value).replace(str(config(text).parent) + "/", "")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("Global", "-o Global: not of the form Section.key=value."),
        ("Globl.epoch_num=3", "has no section Globl."),
        ("Global.epoch_num.x=3", "has no section Global.epoch_num."),
        ("Global.epoch_num=[", "-o Global.epoch_num=[: the value is not YAML"),
    ],
)
def test_a_mistake_in_a_change(config, override, told):
    with pytest.raises(PpedgeError) as error:
        migrate(config(PUBLISHED["v3_det_student"]), [override])
    assert told in str(error.value)


def test_a_recipe_that_does_not_load_says_why(config):
    made = migrate(config(PUBLISHED["v3_det_student"]), ["Global.epoch_num=many"])
    assert "train.epochs: Input should be a valid integer" in str(made.problem)


def test_a_checkpoint_of_a_distillation_is_for_all_its_networks(migrated):
    made = migrated(PUBLISHED["v3_det_cml"], "Global.pretrained_model=out/best_accuracy")
    file = "out/best_accuracy.pdparams"
    train = made.recipe["train"]
    assert train["weights"] == file
    assert (train["peers"]["twin"]["weights"], train["peers"]["twin"]["part"]) == (file, "Student2")
    assert (train["peers"]["teacher"]["weights"], train["peers"]["teacher"]["part"]) == (file, "Teacher")


def test_a_backbone_is_for_the_network_that_ships_and_those_like_it(migrated):
    named, file = "Global.pretrained_model=pre/MobileNetV3_large", "pre/MobileNetV3_large.pdparams"
    train = migrated(PUBLISHED["v3_det_cml"], named).recipe["train"]
    assert train["backbone_weights"] == file
    assert train["peers"]["twin"] == {"model": "same", "backbone_weights": file}
    assert "backbone_weights" not in train["peers"]["teacher"]


@pytest.mark.parametrize(
    ("path", "charset"),
    [
        ("ppocr/utils/en_dict.txt", "en_dict"),
        ("/PaddleOCR/ppocr/utils/dict/latin_dict.txt", "latin_dict"),
        ("ppocr/utils/dict/en_dict.txt", "ppocr/utils/dict/en_dict.txt"),
        ("mine/latin_dict.txt", "mine/latin_dict.txt"),
    ],
)
def test_a_dictionary_is_built_in_by_its_name_and_folder(migrated, path, charset):
    made = migrated(PUBLISHED["v3_rec"], f"Global.character_dict_path={path}")
    assert made.recipe["data"]["charset"] == charset


def test_what_svtr_is_otherwise_in_paddleocr(migrated):
    value = deepcopy(PUBLISHED["v4_rec_distill"])
    backbone = value["Architecture"]["Models"]["Teacher"]["Backbone"]
    del backbone["out_char_num"]
    backbone["prenorm"] = False
    made = migrated(value)
    assert made.recipe["train"]["peers"]["teacher"]["model"]["backbone"]["out_char_num"] == 25
    assert said(made, "Architecture.Models.Teacher.Backbone.prenorm") == ("left out", "SVTRNet has prenorm: true")


def test_lines_are_squeezed_in_training_alone(migrated):
    for name in ("v4_rec", "v4_rec_distill"):
        recipe = migrated(PUBLISHED[name]).recipe
        assert recipe["train"]["max_width"] == 320
        assert recipe["rec_preprocess"] == {"height": 48, "min_width": 320}


def test_what_paddleocr_takes_where_a_configuration_says_nothing(migrated):
    detector, classifier = deepcopy(PUBLISHED["v2_det_student"]), deepcopy(PUBLISHED["v1_cls"])
    del detector["Architecture"]["Backbone"]["disable_se"]
    del classifier["Architecture"]["Backbone"]["model_name"]
    assert migrated(detector).recipe["model"]["backbone"]["disable_se"] is False
    assert migrated(classifier).recipe["model"]["backbone"]["model_name"] == "small"
    recogniser = migrated(PUBLISHED["v4_rec"]).recipe
    assert recogniser["metric"] == "ignore_space"


@pytest.mark.parametrize(
    ("given", "metric"), [({"is_filter": True}, "upper_alnum"), ({"ignore_space": False}, "strict")]
)
def test_how_texts_are_compared(migrated, given, metric):
    value = deepcopy(PUBLISHED["v4_rec"])
    value["Metric"] |= given
    assert migrated(value).recipe["metric"] == metric


def test_what_does_not_fill_a_batch(migrated):
    for drop, verdict in ((True, "taken"), (False, "changed")):
        value = deepcopy(PUBLISHED["v3_det_student"])
        value["Train"]["loader"]["drop_last"] = drop
        assert said(migrated(value), "Train.loader.drop_last")[0] == verdict
