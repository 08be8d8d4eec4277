"""Small configurations of PaddleOCR 2.x with the keys of the published ones, as YAML holds them."""

from copy import deepcopy


def det(backbone, neck, head, epochs=500, crop=640, batch=8, l2=5e-5, copy_paste=False, **loss):
    """One detector."""
    top = {"epoch_num": epochs, "eval_batch_step": [0, 400], "use_gpu": True, "pretrained_model": None}
    network = {"algorithm": "DB", "Transform": None, "Backbone": backbone, "Neck": neck, "Head": head}
    transforms = [
        {"DecodeImage": {"img_mode": "BGR", "channel_first": False}},
        {"DetLabelEncode": None},
        *([{"CopyPaste": None}] if copy_paste else []),
        {
            "IaaAugment": {
                "augmenter_args": [
                    {"type": "Fliplr", "args": {"p": 0.5}},
                    {"type": "Affine", "args": {"rotate": [-10, 10]}},
                    {"type": "Resize", "args": {"size": [0.5, 3]}},
                ]
            }
        },
        {"EastRandomCropData": {"size": [crop, crop], "max_tries": 50, "keep_ratio": True}},
        {"MakeBorderMap": {"shrink_ratio": 0.4, "thresh_min": 0.3, "thresh_max": 0.7}},
        {"MakeShrinkMap": {"shrink_ratio": 0.4, "min_text_size": 8}},
        {"NormalizeImage": {"scale": "1./255.", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
        {"ToCHWImage": None},
        {"KeepKeys": {"keep_keys": ["image"]}},
    ]
    return {
        "Global": top,
        "Architecture": {"model_type": "det", **network},
        "Loss": {"name": "DBLoss", **DB, **loss},
        "Optimizer": optimizer({"name": "Cosine", "learning_rate": 0.001, "warmup_epoch": 2}, l2),
        "PostProcess": {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5},
        "Metric": {"name": "DetMetric", "main_indicator": "hmean"},
        "Train": {"dataset": dataset("train", transforms), "loader": {"batch_size_per_card": batch, "num_workers": 4}},
        "Eval": {"dataset": dataset("val", [{"DetResizeForTest": None}]), "loader": {"batch_size_per_card": 1}},
    }


def rec(backbone, neck, head, loss, height, rate, epochs=500, batch=128, l2=3e-5, concat=True, **metric):
    """One recogniser."""
    top = {
        "epoch_num": epochs,
        "character_dict_path": "ppocr/utils/ppocr_keys_v1.txt",
        "max_text_length": 25,
        "use_space_char": True,
        "infer_mode": False,
    }
    network = {"algorithm": "SVTR", "Backbone": backbone, **({"Neck": neck} if neck else {}), "Head": head}
    size = {"RecResizeImg": {"image_shape": [3, height, 320]}}
    joined = {"RecConAug": {"prob": 0.5, "ext_data_num": 2, "image_shape": [48, 320, 3]}}
    transforms = [*([joined] if concat else []), {"RecAug": None}, {"MultiLabelEncode": None}, size]
    return {
        "Global": top,
        "Architecture": {"model_type": "rec", **network},
        "Loss": loss,
        "Optimizer": optimizer(rate, l2),
        "PostProcess": {"name": "CTCLabelDecode"},
        "Metric": {"name": "RecMetric", "main_indicator": "acc", **metric},
        "Train": {"dataset": dataset("train", transforms), "loader": {"batch_size_per_card": batch, "num_workers": 8}},
        "Eval": {"dataset": dataset("val", [{"MultiLabelEncode": None}, size]), "loader": None},
    }


def optimizer(rate, l2):
    regularizer = {"name": "L2", "factor": l2}
    return {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": rate, "regularizer": regularizer}


def dataset(name, transforms):
    files = [f"./train_data/{name}.txt"]
    return {"name": "SimpleDataSet", "data_dir": "./train_data/", "label_file_list": files, "transforms": transforms}


def distillation(config, networks, losses):
    """A configuration with several networks: (name, network's keys, its own keys) each."""
    config = deepcopy(config)
    kind = config["Architecture"]["model_type"]
    models = {}
    for name, network, own in networks:
        models[name] = {"return_all_feats": False, "model_type": kind, **network, **own}
    config["Architecture"] = {
        "name": "DistillationModel", "algorithm": "Distillation", "model_type": kind, "Models": models
    }  # fmt: skip
    config["Loss"] = {"name": "CombinedLoss", "loss_config_list": losses}
    config["Metric"] |= {"name": "DistillationMetric", "key": "Student"}
    return config


def network(config):
    """The parts of a configuration's network."""
    return {key: config["Architecture"][key] for key in ("Backbone", "Neck", "Head") if key in config["Architecture"]}


def published():
    """The configurations that PaddleOCR publishes, by short names."""
    v2_rec = rec(V1_ENHANCE, ENCODER, CTC, {"name": "CTCLoss"}, 32, PIECEWISE, 800, l2=2e-5, concat=False)
    v3_rec = rec(V3_ENHANCE, None, multi_head(V3_NECK, SAR), multi_loss("SARLoss"), 48, COSINE, ignore_space=False)
    v4_rec = rec(LCNET_REC, None, multi_head(V4_NECK, NRTR), multi_loss("NRTRLoss"), 48, COSINE, epochs=200, batch=192)
    v4_rec["Train"]["dataset"] |= {"name": "MultiScaleDataSet", "ds_width": False}
    v4_rec["Train"]["dataset"]["transforms"].pop()
    v4_rec["Train"]["sampler"] = {
        "name": "MultiScaleSampler", "scales": [[320, 32], [320, 48], [320, 64]], "first_bs": 192, "fix_bs": False
    }  # fmt: skip
    v4_rec["Eval"]["dataset"]["transforms"][0] = {
        "MultiLabelEncode": {"max_text_length": 100, "use_space_char": True, "gtc_encode": "NRTRLabelEncode"}
    }
    v4_rec["Eval"]["dataset"]["transforms"][1] = {"RecResizeImg": {"image_shape": [3, 48, 320], "eval_mode": True}}
    english = deepcopy(v3_rec)
    english["Global"]["character_dict_path"] = "ppocr/utils/en_dict.txt"
    v2_det = det(V3_LARGE, FPN, HEAD, epochs=1200, crop=960, l2=0)
    v3_det = det(V3_LARGE, RSE, HEAD, crop=960)
    v3_teacher = det(VD50, PAN, BIG_HEAD, epochs=1200, crop=960, l2=0, copy_paste=True)
    v4_det = det(LCNET_DET, RSE, {**HEAD, "fix_nan": True}, copy_paste=True)
    v4_cml = det(LCNET_DET, RSE, HEAD, batch=16)
    size = {"limit_side_len": 960, "limit_type": "max"}
    v4_cml["Eval"]["dataset"]["transforms"] = [{"DetResizeForTest": size}]
    slow = deepcopy(v3_rec)
    slow["Global"]["epoch_num"] = 800
    slow["Optimizer"] = optimizer({**PIECEWISE, "values": [0.0005, 0.00005]}, 3e-5)
    v4_student = deepcopy(v4_rec)
    v4_student["Optimizer"] = optimizer({**COSINE, "warmup_epoch": 2}, 3e-5)
    v4_student["Train"] = deepcopy(v2_rec["Train"])
    v4_student["Train"]["dataset"]["transforms"][-1] = {"RecResizeImg": {"image_shape": [3, 48, 320]}}
    v4_student["Metric"]["ignore_space"] = False
    v5_rec = deepcopy(v4_rec)
    v5_rec["Global"] |= {"epoch_num": 75, "character_dict_path": "./ppocr/utils/dict/ppocrv5_dict.txt"}
    v5_rec["Optimizer"]["lr"] = {**COSINE, "learning_rate": 0.0005}
    v5_rec["Train"]["sampler"]["first_bs"] = v5_rec["Train"]["loader"]["batch_size_per_card"] = 128
    frozen = {"freeze_params": True}
    both = [("Teacher", {}, {"freeze_params": False}), ("Student", {}, {"freeze_params": False})]
    cml = [("Student", {}, {}), ("Student2", {}, {})]

    def filled(networks, config, *more):
        return [*((name, network(config), own) for name, _, own in networks), *more]

    return {
        "v2_det_res18": det({"name": "ResNet_vd", "layers": 18, "disable_se": True}, {**FPN, "out_channels": 256}, HEAD,
                            epochs=1200, crop=960, l2=0),
        "v2_det_student": v2_det,
        "v2_det_distill": distillation(
            {**v2_det, "Train": v3_teacher["Train"]},
            [("Student", network(v2_det), {}), ("Teacher", VD18, frozen)],
            [dilated(["Student", "Teacher"]), db_of("Student")],
        ),
        "v2_det_dml": distillation({**v2_det, "Train": v3_teacher["Train"]}, filled(cml, v2_det), CML[1:]),
        "v2_det_cml": distillation(
            {**v2_det, "Train": v3_teacher["Train"]}, filled(cml, v2_det, ("Teacher", VD18, frozen)), CML
        ),
        "v3_det_student": v3_det,
        "v3_det_dml": distillation(v3_teacher, filled(cml, v3_teacher), CML[1:]),
        "v3_det_cml": distillation(
            {**v3_det, "Train": v3_teacher["Train"]}, filled(cml, v3_det, ("Teacher", network(v3_teacher), frozen)), CML
        ),
        "v4_det_student": v4_det,
        "v4_det_teacher": det({"name": "PPHGNet_small", "det": True}, {**PAN, "intracl": True},
                              {"name": "PFHeadLocal", "k": 50, "mode": "large"}, l2="1e-6", copy_paste=True),
        "v4_det_cml": distillation(v4_cml, filled(cml, v4_cml, ("Teacher", network(v3_teacher), frozen)), CML),
        "v2_rec": v2_rec,
        "v2_rec_distill": distillation(v2_rec, filled(both, v2_rec), [ctc_of(), dml(), FEATURES]),
        "v2_rec_enhanced": v2_rec | {"Loss": {"name": "CombinedLoss", "loss_config_list": [{"CTCLoss": None}, CENTER]}},
        "v3_rec": v3_rec,
        "v3_rec_en": english,
        "v3_rec_distill": distillation(
            slow,
            filled(both, v3_rec),
            [dml(multi_head=True, dis_head="ctc"), dml(weight=0.5, multi_head=True, dis_head="sar"), FEATURES, ctc_of(),
             {"DistillationSARLoss": {"weight": 1.0, "model_name_list": ["Student", "Teacher"], "multi_head": True}}],
        ),
        "v4_rec": v4_rec,
        "v5_det_mobile": v4_det,
        "v5_rec_mobile": v5_rec,
        "v6_det_tiny": v6_det("tiny", 64, 5, l2="1.0e-06", ema=0.9998, low=0.3, box=0.4, jitter=True),
        "v6_det_small": v6_det("small", 96, 7, l2="1.0e-05", ema=0.9997, low=0.1, box=0.45, jitter=False),
        "v6_rec_tiny": v6_rec(v5_rec, "tiny", 0.001, "ppocrv6_tiny_dict", {"name": "reshape"},
                              {"mid_channels": 80, "use_guide": True}),
        "v6_rec_small": v6_rec(v5_rec, "small", 0.0005, "ppocrv6_dict", LIGHT, {}),
        "v4_rec_distill": distillation(
            v4_student,
            [("Teacher", {**network(v4_rec), "Backbone": SVTR}, frozen), *filled([("Student", {}, {})], v4_rec)],
            V4_TAUGHT,
        ),
        "v1_cls": classifier(),
    }  # fmt: skip


def v6_det(size, channels, kernel, l2, ema, low, box, jitter):
    """One of PP-OCRv6's detectors."""
    backbone = {"name": "PPLCNetV4", "det": True, "model_size": size}
    neck = {"name": "RepLKFPN", "out_channels": channels, "dilated_kernel_size": kernel, "shortcut": True}
    config = det(backbone, neck, {**HEAD, "fix_nan": True, "aux_in_channels": channels}, l2=l2, copy_paste=True)
    config["Global"] |= {"use_ema": True, "ema_decay": ema, "ema_decay_type": "threshold"}
    config["Loss"] = {
        "name": "DBLoss", "main_loss_type": "DiceFocalLoss", "alpha": 5, "beta": 10, "focal_alpha": 0.25,
        "focal_gamma": 2.5, "aux_weight_p4": 0.2, "aux_weight_p3": 0.3, "aux_weight_p2": 0.4,
    }  # fmt: skip
    config["PostProcess"] |= {"thresh": 0.2, "box_thresh": box, "max_candidates": 3000, "unclip_ratio": 1.4}
    turned = {"p": 0.5, "rotate": [-45, 45], "fit_output": True}
    augmenters = [
        {"type": "Fliplr", "args": {"p": 0.5}},
        {"type": "Affine", "args": turned},
        {"type": "Resize", "args": {"size": [low, 2]}},
    ]
    transforms = config["Train"]["dataset"]["transforms"]
    transforms[3] = {"IaaAugment": {"augmenter_args": augmenters}}
    transforms[4] = {"RandomCrop": {"size": [640, 640], "max_tries": 50, "keep_ratio": True}}
    if jitter:
        colours = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.7, "hue": 0.1}
        transforms.insert(3, {"ColorJitter": colours})
    return config


def v6_rec(base, size, rate, dictionary, neck, head):
    """One of PP-OCRv6's recognisers."""
    config = deepcopy(base)
    config["Global"] |= {"epoch_num": 100, "character_dict_path": f"ppocr/utils/dict/{dictionary}.txt"}
    config["Optimizer"]["lr"] = {**COSINE, "learning_rate": rate}
    ctc = {"CTCHead": {"Neck": neck, "Head": {**head, "fc_decay": 0.00001}}}
    config["Architecture"] |= {
        "algorithm": "SVTR_LCNet",
        "Backbone": {"name": "PPLCNetV4", "model_size": size},
        "Head": {"name": "MultiHead", "head_list": [ctc, NRTR]},
    }
    return config


def classifier():
    """PP-OCRv2.0's direction classifier."""
    backbone = {"name": "MobileNetV3", "scale": 0.35, "model_name": "small"}
    rate = {"name": "Cosine", "learning_rate": 0.001}
    config = rec(backbone, None, {"name": "ClsHead", "class_dim": 2}, {"name": "ClsLoss"}, 48, rate, 100, 512, 0)
    config["Architecture"] |= {"model_type": "cls", "algorithm": "CLS"}
    config["PostProcess"], config["Metric"] = {"name": "ClsPostProcess"}, {"name": "ClsMetric"}
    size = {"ClsResizeImg": {"image_shape": [3, 48, 192]}}
    for part in ("Train", "Eval"):
        config[part]["dataset"]["transforms"] = [{"ClsLabelEncode": None}, size]
    return config


def said(made, key):
    """Return verdict and sentence of the first finding of a key."""
    return next((one.verdict, one.sentence) for one in made.findings if one.key == key)


def multi_head(neck, guide):
    ctc = {"CTCHead": {"Neck": {"name": "svtr", "use_guide": True, **neck}, "Head": {"fc_decay": 0.00001}}}
    return {"name": "MultiHead", "head_list": [ctc, guide]}


def multi_loss(guide):
    return {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {guide: None}]}


def dilated(*pairs):
    return {"DistillationDilaDBLoss": {"weight": 1.0, "model_name_pairs": list(pairs), "key": "maps", **DB}}


def db_of(*names):
    return {"DistillationDBLoss": {"weight": 1.0, "model_name_list": list(names), **DB}}


def ctc_of():
    return {"DistillationCTCLoss": {"weight": 1.0, "model_name_list": ["Student", "Teacher"], "key": "head_out"}}


def dml(**more):
    pairs = [["Student", "Teacher"]]
    return {"DistillationDMLLoss": {"act": "softmax", "use_log": True, "model_name_pairs": pairs, **more}}


DB = {"balance_loss": True, "main_loss_type": "DiceLoss", "alpha": 5, "beta": 10, "ohem_ratio": 3}
V3_LARGE = {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True}
VD50 = {"name": "ResNet_vd", "in_channels": 3, "layers": 50}
LCNET_DET = {"name": "PPLCNetV3", "scale": 0.75, "det": True}
LCNET_REC = {"name": "PPLCNetV3", "scale": 0.95}
SVTR = {
    "name": "SVTRNet", "img_size": [48, 320], "out_char_num": 40, "out_channels": 192, "patch_merging": "Conv",
    "embed_dim": [64, 128, 256], "depth": [3, 6, 3], "num_heads": [2, 4, 8], "mixer": ["Conv"] * 6 + ["Global"] * 6,
    "local_mixer": [[5, 5], [5, 5], [5, 5]], "last_stage": False, "prenorm": True,
}  # fmt: skip
FPN = {"name": "DBFPN", "out_channels": 96}
RSE = {"name": "RSEFPN", "out_channels": 96, "shortcut": True}
PAN = {"name": "LKPAN", "out_channels": 256}
HEAD = {"name": "DBHead", "k": 50}
BIG_HEAD = {"name": "DBHead", "kernel_list": [7, 2, 2], "k": 50}
VD18 = {"Backbone": {"name": "ResNet_vd", "layers": 18}, "Neck": {"name": "DBFPN", "out_channels": 256}, "Head": HEAD}
V1_ENHANCE = {"name": "MobileNetV1Enhance", "scale": 0.5}
V3_ENHANCE = {**V1_ENHANCE, "last_conv_stride": [1, 2], "last_pool_type": "avg"}
ENCODER = {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 64}
CTC = {"name": "CTCHead", "mid_channels": 96, "fc_decay": 0.00002}
V3_NECK = {"dims": 64, "depth": 2, "hidden_dims": 120}
V4_NECK = {"dims": 120, "depth": 2, "hidden_dims": 120, "kernel_size": [1, 3]}
SAR = {"SARHead": {"enc_dim": 512, "max_text_length": 25}}
LIGHT = {"name": "lightsvtr", "dims": 120, "depth": 2, "mlp_ratio": 2.0, "local_kernel": 7}
NRTR = {"NRTRHead": {"nrtr_dim": 384, "max_text_length": 25}}
COSINE = {"name": "Cosine", "learning_rate": 0.001, "warmup_epoch": 5}
PIECEWISE = {"name": "Piecewise", "decay_epochs": [700, 800], "values": [0.001, 0.0001], "warmup_epoch": 5}
FEATURES = {
    "DistillationDistanceLoss": {"mode": "l2", "model_name_pairs": [["Student", "Teacher"]], "key": "backbone_out"}
}
CENTER = {"CenterLoss": {"weight": 0.05, "num_classes": 6625, "feat_dim": 96, "center_file_path": "./centers.pkl"}}
CML = [
    dilated(["Student", "Teacher"], ["Student2", "Teacher"]),
    {"DistillationDMLLoss": {"model_name_pairs": ["Student", "Student2"], "maps_name": "thrink_maps", "key": "maps"}},
    db_of("Student", "Student2"),
]
TEACHES = {"model_name_pairs": [["Student", "Teacher"]], "key": "head_out"}
V4_TAUGHT = [
    {
        "DistillationDKDLoss": {
            "weight": 0.1,
            "multi_head": True,
            "alpha": 1.0,
            "beta": 2.0,
            "dis_head": "gtc",
            **TEACHES,
        }
    },
    {"DistillationCTCLoss": {"weight": 1.0, "model_name_list": ["Student"], "key": "head_out", "multi_head": True}},
    {"DistillationNRTRLoss": {"weight": 1.0, "smoothing": False, "model_name_list": ["Student"], "multi_head": True}},
    {"DistillCTCLogits": {"weight": 1.0, "reduction": "mean", **TEACHES}},
]
