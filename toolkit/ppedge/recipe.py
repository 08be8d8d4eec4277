"""The recipe: what a run does, as strict data.

Every key is declared here, those of the networks in `recipe_model` and of slimming in `recipe_slim`, with its default
and its meaning; ``ppedge recipe schema`` and ``docs/recipes.md`` are made from them. Reading, overriding and the
sentences for mistakes are in `recipe_io`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, RecPreprocess
from ppedge.recipe_model import Imported, Model, Schedule, Section, form_of_model
from ppedge.recipe_slim import Slim


class Synth(Section):
    """Synthetic data, made under ``data.root`` when the label files are not there yet."""

    kind: Literal["plates", "words", "scenes"]
    """What is drawn: licence plate crops, word crops, or whole pictures with text lines for a detector."""
    train: int = Field(2000, ge=1)
    """Pictures for training."""
    eval: int = Field(200, ge=1)
    """Pictures for evaluation."""
    content: Literal["plates", "words"] = "words"
    """What the lines of ``scenes`` say."""


class Data(Section):
    """Pictures and labels, in PPOCR format."""

    root: Path = Path()
    """The folder that label files and pictures are named relative to; itself relative to the current folder."""
    train: list[Path] = Field([])
    """Label files to train on."""
    eval: list[Path] = Field([])
    """Label files to evaluate on."""
    labels: Literal["detection", "recognition"] | None = None
    """Format of the label files; a recogniser or classifier that is given ``detection`` labels uses the crops of their
    boxes. By default the task's own, which for a direction classifier is ``recognition``: it takes each line both ways,
    whatever it says."""
    charset: str = "en_number"
    """For a recogniser: the name of a built-in character set, or a file with one character a line."""
    use_space_char: bool = False
    """For a recogniser: add a space after the character set's last character, as PaddleOCR does for its dictionaries,
    which do not list it."""
    max_text_length: int = Field(64, ge=1)
    """For a recogniser: longer training texts are left out."""
    synth: Synth | None = None
    """How to make the data when it is not there."""


class DetAugment(Section):
    """Changes to training pictures of a detector."""

    flip: float = Field(0.5, ge=0, le=1)
    """Probability of a left-right flip."""
    rotate: float = Field(10.0, ge=0, le=180)
    """Largest turn, in degrees, either way."""
    scale: tuple[float, float] = (0.5, 3.0)
    """Range of the zoom."""
    crop: int = Field(640, ge=32, multiple_of=32)
    """Side in pixels of the square that is cut out, keeping whole words, and padded if the picture is smaller."""
    color: float = Field(0.2, ge=0, le=1)
    """Strength of brightness, contrast and colour jitter."""


class RecAugment(Section):
    """Changes to training crops of a recogniser or classifier; each is a probability."""

    perspective: float = Field(0.4, ge=0, le=1)
    """Move the four corners a little."""
    blur: float = Field(0.2, ge=0, le=1)
    """Gaussian blur."""
    noise: float = Field(0.2, ge=0, le=1)
    """Gaussian noise."""
    color: float = Field(0.4, ge=0, le=1)
    """Brightness, contrast and colour jitter."""


class Train(Schedule):
    """The train stage."""

    weights: Path | None = None
    """A .pdparams file to start from: the whole network's, every name and shape."""
    backbone_weights: Path | None = None
    """A .pdparams file to start the backbone from; its classifier's layers, which a detector or recogniser has not,
    are left out."""
    workers: int = Field(2, ge=0)
    """Processes that prepare batches; 0 prepares them in the training process."""
    amp: bool = False
    """Mixed precision (O1); on a GPU only."""
    shrink_loss: Literal["dice", "bce"] = "dice"
    """For a detector, the main loss: ``dice``, as PP-OCR's published weights were trained, or ``bce`` with hard
    negatives, as in DB's paper."""
    flat_start: float = Field(0.0, ge=0, le=1)
    """For a recogniser trained from fresh weights: for this share of the course evenly spread characters are learned
    column by column, then CTC takes over, all along with the help of a linear guide on the backbone's features; without
    it CTC needs thousands of steps to start."""
    ignore_case: bool = False
    """For a recogniser whose labels are in one case only, whatever the pictures show: either case of a letter counts as
    right, so that training does not undo what the weights know about case."""
    det_augment: DetAugment = DetAugment()
    rec_augment: RecAugment = RecAugment()


class Convert(Section):
    """The convert stage."""

    formats: list[Literal["nb", "onnx"]] = Field(["nb", "onnx"])
    """Files to write."""
    precisions: list[Literal["fp32", "fp16", "int8"]] = Field(["fp32", "fp16", "int8"])
    """Precisions of the .nb files; int8 needs a quantized run and is left out without one. Of ONNX
    there is always fp32, and int8 if it is named here."""


class Gates(Section):
    """Limits of the validate stage; one that is not met ends with exit code 1, one that is ``null`` is not checked."""

    max_difference: float | None = Field(5e-3, gt=0)
    """Of a float file: largest difference of any output value between PC and ARM."""
    max_metric_drop: float | None = Field(0.005, ge=0)
    """Drop of the metric from PC to ARM, as measured on the pictures; one whose confidence interval reaches 0 may be
    chance, and passes."""
    min_box_agreement: float | None = Field(None, ge=0, le=1)
    """For a detector: share of boxes that PC and ARM both find, matched one to one at IoU 0.9."""
    min_string_agreement: float | None = Field(None, ge=0, le=1)
    """For a recogniser: share of lines that PC and ARM read as the same string; for a classifier: of lines for which
    both find the same direction."""
    max_instructions: int | None = Field(None, ge=1)
    """ARM instructions of one inference at 320x320 (a recogniser: its height x 320, a classifier: its own size);
    asked, as the next two, of the quantized file where there is one, else of the float file."""
    min_speedup: float | None = Field(None, gt=0)
    """ARM instructions of the network before slimming / of this one, on the same core."""
    max_nb_bytes: int | None = Field(None, ge=1)
    """Size of the .nb file, whichever engine runs."""


class Validate(Section):
    """The validate stage."""

    engine: Literal["onnxruntime", "paddlelite"] = "onnxruntime"
    """What runs the models on ARM: onnxruntime the ONNX files, Paddle Lite's own runtime (once registered) the .nb
    files."""
    cpu: Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)] = Field(
        ["cortex-a53"], min_length=1
    )
    """The emulated core or cores: cortex-a53, cortex-a76, or any that QEMU knows; ``pc``: onnxruntime on this computer,
    which counts nothing. One may be given without a list."""
    limit: int = Field(10, ge=1)
    """Evaluation pictures (for a recogniser or classifier, crops) that go through both engines."""
    workers: int | None = Field(None, ge=1)
    """Emulated processes that share the pictures; by default as many as the PC has cores. Results do not depend on
    it."""
    gates: Gates = Gates()


class Recipe(Section):
    """One network's road from pictures to an ARM artifact."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Also the name of the run's folder."""
    task: Literal["det", "rec", "cls"]
    """Text detection, text recognition, or telling whether a text line is upside down."""
    seed: int = Field(0, ge=0, lt=1 << 31)
    """Of everything that is random."""
    data: Data
    model: Annotated[
        Annotated[Model, Tag("Model")] | Annotated[Imported, Tag("Imported")],
        Discriminator(
            form_of_model,
            custom_error_type="model_form",
            custom_error_message="must hold a network's parts, or the key inference",
        ),
    ]
    det_preprocess: DetPreprocess = DetPreprocess()
    det_postprocess: DbPostprocess = DbPostprocess()
    rec_preprocess: RecPreprocess = RecPreprocess()
    cls_preprocess: ClsPreprocess = ClsPreprocess()
    cls_postprocess: ClsPostprocess = ClsPostprocess()
    metric: Literal["strict", "ignore_space", "upper_alnum"] = "strict"
    """For a recogniser, how texts are compared: as they are, without spaces, or upper-cased letters and digits only."""
    train: Train = Train()
    slim: Slim = Slim()
    convert: Convert = Convert()
    validate_: Validate = Field(Validate(), alias="validate")

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if isinstance(self.model, Imported):
            for section, default in (("train", Train()), ("slim", Slim())):
                if getattr(self, section) != default:
                    raise ValueError(f"{section}: a network that comes as an inference model has no such stage")
            return self
        neck, head = {"det": ("DBFPN", "DBHead"), "rec": ("SequenceEncoder", "CTCHead"), "cls": (None, "ClsHead")}[
            self.task
        ]
        if (self.model.neck and self.model.neck.name, self.model.head.name) != (neck, head):
            raise ValueError(
                f"model: a {self.task} network needs {f'neck {neck}' if neck else 'no neck'} and head {head}"
            )
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of this recipe's road, in order."""
        own = () if isinstance(self.model, Imported) else ("train", "slim")
        return (*own, "convert", "validate")

    @property
    def labels(self) -> Literal["detection", "recognition"]:
        """The format of the label files."""
        return self.data.labels or ("detection" if self.task == "det" else "recognition")

    @property
    def line_height(self) -> int:
        """Height in pixels of the lines that a recogniser or classifier takes; a detector takes any picture."""
        return self.cls_preprocess.height if self.task == "cls" else self.rec_preprocess.height


class Suite(Section):
    """Several recipes that ``ppedge run`` takes side by side: a detector and a recogniser, for instance."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """For messages."""
    recipes: list[Path] = Field(min_length=1)
    """Recipe files, relative to this file."""
