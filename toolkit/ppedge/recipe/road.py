"""The recipe as a whole: what a run does, as strict data, and the sections of the stages behind slimming.

Every key is declared in this package, with its default and its meaning; ``ppedge recipe schema`` and
``docs/recipes.md`` are made from them. Reading, overriding and the sentences for mistakes are in `ppedge.recipe.io`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, RecPreprocess
from ppedge.recipe.base import For, Section
from ppedge.recipe.data import Data
from ppedge.recipe.networks import Imported, Model, form_of_model, misfit
from ppedge.recipe.slim import Slim
from ppedge.recipe.train import Train, misfits

SCHEMA: Literal[2] = 2
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""What a recipe may be called, after which the folder of its run is."""


class Convert(Section):
    """The convert stage."""

    formats: list[Literal["nb", "onnx"]] = Field(["nb", "onnx"])
    """Files to write."""
    precisions: list[Literal["fp32", "fp16", "int8"]] = Field(["fp32", "fp16", "int8"])
    """Precisions of the .nb files; int8 needs a quantized run and is left out without one. Of ONNX
    there is always fp32, and int8 if it is named here."""
    rewrite: Literal["exact", "approximate", "none"] = "exact"
    """``exact``: before it is converted, a network is rewritten so that it computes the same with fewer instructions;
    each rewrite is checked on inputs. ``approximate``: and so that a .nb file computes GELU by cheaper operators, each
    value by up to 2.6e-5 otherwise. ``none``: it is converted as it is."""


class Gates(Section):
    """Limits of the validate stage; one that is not met ends with exit code 1, one that is ``null`` is not checked."""

    max_difference: float | None = Field(5e-3, gt=0)
    """Of a float file: largest difference of any output value between PC and ARM."""
    max_metric_drop: float | None = Field(0.005, ge=0)
    """Drop of the metric from PC to ARM, as measured on the pictures; one whose confidence interval reaches 0 may be
    chance, and passes."""
    min_found: int | None = Field(1, ge=1)
    """Boxes that the PC must find in all pictures together or, for a recogniser, lines in which it must read any text:
    two engines that find nothing show no agreement."""
    min_box_agreement: Annotated[float | None, For("det")] = Field(None, ge=0, le=1)
    """For a detector: share of boxes that PC and ARM both find, matched one to one at IoU 0.9."""
    min_string_agreement: Annotated[float | None, For("rec", "cls")] = Field(None, ge=0, le=1)
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

    schema_: Literal[2] = Field(SCHEMA, alias="schema")
    """Of the recipe's form; one that names none is read as of an older form, 1, where the two differ."""
    name: str = Field(pattern=NAME)
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
    det_preprocess: Annotated[DetPreprocess, For("det")] = DetPreprocess()
    det_postprocess: Annotated[DbPostprocess, For("det")] = DbPostprocess()
    rec_preprocess: Annotated[RecPreprocess, For("rec")] = RecPreprocess()
    cls_preprocess: Annotated[ClsPreprocess, For("cls")] = ClsPreprocess()
    cls_postprocess: Annotated[ClsPostprocess, For("cls")] = ClsPostprocess()
    metric: Annotated[Literal["strict", "ignore_space", "ignore_case", "upper_alnum"], For("rec")] = "strict"
    """For a recogniser, how texts are compared: as they are, without spaces, with either case of a letter the same, or
    upper-cased letters and digits only."""
    metric_ignore: Annotated[str, For("rec")] = ""
    """For a recogniser: characters that are left out of both texts before they are compared, such as the ``·`` of a
    licence plate, which the labels may lack and the network reads."""
    train: Train = Train()
    slim: Slim = Slim()
    convert: Convert = Convert()
    validate_: Validate = Field(Validate(), alias="validate")

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.brought_in:
            if self.task != "det" and self.data.labels == "detection":
                raise ValueError("data.labels: of a network that is brought in, lines are pictures of their own")
            return self
        if isinstance(self.model, Imported):
            for section, default in (("train", Train()), ("slim", Slim())):
                if getattr(self, section) != default:
                    raise ValueError(
                        f"{section}: a network that comes as an inference model has no such stage, unless "
                        "model.pictures says what it is slimmed on"
                    )
            return self
        reason = misfit(self.model, self.task)
        if reason:
            raise ValueError(f"model: {reason}")
        for sentence in misfits(self.train, self.model, self.task):
            raise ValueError(sentence)
        return self

    @property
    def ships_as_it_came(self) -> bool:
        """Whether its network comes as an inference model and is only converted."""
        return isinstance(self.model, Imported) and self.model.pictures is None

    @property
    def brought_in(self) -> bool:
        """Whether its network comes as an inference model and is slimmed."""
        return isinstance(self.model, Imported) and not self.ships_as_it_came

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of this recipe's road, in order; of a network that is slimmed, bringing it in is ``train``."""
        own = () if self.ships_as_it_came else ("train", "slim")
        return (*own, "convert", "validate")

    @property
    def labels(self) -> Literal["detection", "recognition"]:
        """The format of the label files."""
        return self.data.labels or ("detection" if self.task == "det" else "recognition")


class Suite(Section):
    """Several recipes that ``ppedge run`` takes side by side: a detector and a recogniser, for instance."""

    name: str = Field(pattern=NAME)
    """For messages."""
    recipes: list[Path] = Field(min_length=1)
    """Recipe files, relative to this file."""
