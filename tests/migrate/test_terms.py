from copy import deepcopy

from paddleocr_configs import distillation, network, published, said

PUBLISHED = published()


def test_keys_that_paddleocr_ignores_are_named(migrated):
    value = deepcopy(PUBLISHED["v3_det_cml"])
    value["Loss"]["loss_config_list"][2]["DistillationDBLoss"]["alpha"] = 3
    made = migrated(value)
    assert made.recipe["train"]["losses"][2] == {"name": "DB"}
    verdict, sentence = said(made, "Loss.loss_config_list.2.DistillationDBLoss.alpha")
    assert verdict == "changed" and "ignores" in sentence


def test_a_loss_that_is_unknown_is_left_out_and_the_others_stay(migrated):
    value = deepcopy(PUBLISHED["v2_rec_enhanced"])
    value["Loss"]["loss_config_list"].append({"ACELoss": {"weight": 0.1}})
    made = migrated(value)
    assert made.recipe["train"]["losses"] == [{"name": "CTC"}, {"name": "Center", "start": "read", "weight": 0.05}]
    assert said(made, "Loss.loss_config_list.2.ACELoss")[0] == "left out"


def test_what_a_teacher_gives_to_a_recogniser(migrated):
    """The terms of PP-OCRv4's distillation, with what PaddleOCR takes where they say nothing."""
    pairs, named = [["Student", "Teacher"]], ["Student"]
    losses = [
        {"DistillationDKDLoss": {"weight": 0.1, "model_name_pairs": pairs, "dis_head": "gtc"}},
        {"DistillationNRTRLoss": {"weight": 1.0, "smoothing": False, "model_name_list": named}},
        {"DistillCTCLogits": {"weight": 1.0, "reduction": "mean", "model_name_pairs": pairs, "key": "head_out"}},
        {"DistillationKLDivLoss": {"weight": 1.0, "model_name_pairs": pairs, "key": "head_out", "dis_head": "ctc"}},
    ]
    parts = network(PUBLISHED["v4_rec"])
    models = [("Student", parts, {}), ("Teacher", parts, {"freeze_params": True})]
    assert migrated(distillation(PUBLISHED["v4_rec"], models, losses)).recipe["train"]["losses"] == [
        {"name": "DKD", "from": "teacher.NRTRHead", "to": ["net.NRTRHead"], "temperature": 1.0, "alpha": 1.0,
         "beta": 1.0, "padding": True, "weight": 0.1},
        {"name": "NRTR", "of": ["net.NRTRHead"], "smoothing": 0.0, "padding": True},
        {"name": "CTCLogits", "from": "teacher", "to": ["net"]},
        {"name": "KL", "from": "teacher", "to": ["net"]},
    ]  # fmt: skip


def test_centers_that_are_not_read_from_a_file_are_random(migrated):
    value = deepcopy(PUBLISHED["v2_rec_enhanced"])
    value["Loss"]["loss_config_list"][1]["CenterLoss"]["init_center"] = False
    assert migrated(value).recipe["train"]["losses"][1]["start"] == "random"
