"""Which stage makes the shipped road differ from the reference: pre-processing, network or post-processing.

Both roads run over the same pictures. With the set S of stages that are the shipped road's and the rest the
reference's, let d(S) be the share of boxes (texts) that differ from the reference road's. Of each stage s:

    alone     = d({s})              only this stage is the shipped road's
    left      = d(all but s)        only this stage is the reference's
    explained = (alone + d(all) - left) / (2 d(all))

which is Shapley's value (Shapley, "A value for n-person games", 1953) over the two orders in which s comes first and
last: 1 for the only culprit, 0 for a stage that does nothing, half each for two faults of which either is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from ppedge.errors import PpedgeError
from ppedge.metrics.agreement import BoxAgreement, TextAgreement
from ppedge.metrics.tensors import TensorStatistics
from ppedge.ocr.ctc import Text
from ppedge.ocr.db import Box
from ppedge.ocr.pipeline import Classifier, Detector, Network, Recognizer
from ppedge.ocr.spec import ModelSpec
from ppedge.validate.spec_changes import STAGES, Change, changes

BLAMED = 0.1
"""A stage that explains less of the disagreement than this is not blamed."""

Result = list[Box] | Text
Figures = dict[str, Any]
Swap = tuple[bool, bool, bool]
"""For each of `STAGES`, whether it is the shipped road's."""
_SWAPS: list[Swap] = [(a, b, c) for a, b, c in product((False, True), repeat=3)]
_WORDS = {"det": ("boxes", "pictures"), "rec": ("texts", "crops"), "cls": ("directions", "crops")}
_ALL: Swap = (True, True, True)
_ALONE: list[Swap] = [(True, False, False), (False, True, False), (False, False, True)]
_ALL_BUT: list[Swap] = [(False, True, True), (True, False, True), (True, True, False)]


@dataclass(frozen=True)
class Road:
    """What makes boxes, texts or directions of pictures.

    Attributes:
        spec: Pre- and post-processing.
        engine: The network.
    """

    spec: ModelSpec
    engine: Network


@dataclass(frozen=True)
class StageBlame:
    """One stage's part in the disagreement.

    Attributes:
        stage: One of `STAGES`.
        changes: What the shipped specification changes of this stage.
        difference: Of its output for the same input: of tensors `TensorParity.to_dict`; of post-processing
            ``disagreement``, the share of boxes or texts.
        alone: Disagreement if this stage alone is the shipped road's, 0 to 1.
        left: Disagreement if this stage alone is the reference's.
        explained: Its share of the disagreement, see above; 0 if there is none.
    """

    stage: str
    changes: list[Change]
    difference: Figures
    alone: float
    left: float
    explained: float

    @property
    def blamed(self) -> bool:
        """Whether it explains enough to be named."""
        return self.explained >= BLAMED


@dataclass(frozen=True)
class Blame:
    """Which stages make two roads differ.

    Attributes:
        task: ``det``, ``rec`` or ``cls``.
        samples: Pictures or crops that went through both.
        disagreement: Share of all boxes that have no partner at IoU 0.9 on the other side, or of texts or directions
            that are not the same, 0 to 1.
        stages: In the road's order.
    """

    task: str
    samples: int
    disagreement: float
    stages: list[StageBlame]

    @property
    def verdict(self) -> str:
        """One sentence for a person."""
        things, pictures = _WORDS[self.task]
        if self.disagreement == 0:
            changed = [change.key for stage in self.stages for change in stage.changes]
            though = f", though the shipped specification changes {', '.join(changed)}" if changed else ""
            return f"the {things} agree on {self.samples} {pictures}{though}"
        guilty = sorted((s for s in self.stages if s.blamed), key=lambda s: -s.explained)
        named = "; ".join(_charge(stage) for stage in guilty) or "no stage by itself, but two of them together"
        share = f"{self.disagreement:.1%} of the {things} differ on {self.samples} {pictures}"
        return f"{share}: to blame is {named}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {**asdict(self), "stages": [asdict(s) | {"blamed": s.blamed} for s in self.stages],
                "verdict": self.verdict}  # fmt: skip


def _charge(stage: StageBlame) -> str:
    words = {"preprocess": "pre-processing", "network": "the network", "postprocess": "post-processing"}
    evidence = [f"{change.key} is {change.shipped} instead of {change.reference}" for change in stage.changes]
    if stage.stage == "network":
        largest, snr = stage.difference["max_difference"], stage.difference["snr_db"]
        said = "unusable outputs" if largest is None else f"outputs differ by up to {largest:.2g}, SNR {snr:.1f} dB,"
        evidence = [f"{said} for the same input"]
    return f"{words[stage.stage]} ({', '.join([f'{stage.explained:.0%} of it', *evidence])})"


def blame(
    reference: Road,
    shipped: Road,
    pictures: Sequence[np.ndarray],
    advance: Callable[[int], None] = lambda steps: None,
) -> Blame:
    """Swap the stages of two roads one at a time and say which of them make the results differ.

    Each engine runs once a picture, and once more where the two specifications prepare it differently.

    Args:
        reference: The road that is right by definition.
        shipped: The road under test.
        pictures: For a detector whole pictures, else crops; (H, W, 3), uint8, BGR.
        advance: Called with the number of pictures done since the last call.

    Raises:
        PpedgeError: The roads have different tasks, there are no pictures, or an engine failed.
    """
    if reference.spec.task != shipped.spec.task:
        raise PpedgeError(
            f"The shipped specification has the task {shipped.spec.task!r}, the recipe {reference.spec.task!r}.",
            "Repeat `ppedge convert --force`.",
        )
    if not pictures:
        raise PpedgeError("There are no pictures to compare two roads on.", "Check the evaluation labels.")
    roads = (_Stages(reference), _Stages(shipped))
    tally = {swap: np.zeros(2, np.int64) for swap in _SWAPS}
    tensors, outputs = TensorStatistics(), TensorStatistics()
    for picture in pictures:
        _swap_all(roads, picture, tally, tensors, outputs)
        advance(1)
    shares = {swap: float(wrong / total) if total else 0.0 for swap, (wrong, total) in tally.items()}
    found = changes(reference.spec, shipped.spec)
    own: list[Figures] = [
        tensors.result().to_dict(), outputs.result().to_dict(), {"disagreement": shares[False, False, True]}
    ]  # fmt: skip
    stages = [_part(k, [c for c in found if c.stage == stage], own[k], shares) for k, stage in enumerate(STAGES)]
    return Blame(reference.spec.task, len(pictures), shares[_ALL], stages)


def _swap_all(
    roads: tuple[_Stages, _Stages],
    picture: np.ndarray,
    tally: dict[Swap, np.ndarray],
    tensors: TensorStatistics,
    outputs: TensorStatistics,
) -> None:
    """Take one picture along every mixture of the two roads and add up what differs from the reference's result."""
    prepared = [road.prepare(picture) for road in roads]
    maps = {(False, network): roads[network].run(prepared[False]) for network in (False, True)}
    same = np.array_equal(prepared[False], prepared[True])
    for network in (False, True):
        maps[True, network] = maps[False, network] if same else roads[network].run(prepared[True])
    tensors.add(prepared[False], prepared[True])
    outputs.add(maps[False, False], maps[False, True])
    right = roads[False].read(maps[False, False], picture)
    for (before, network, after), counts in tally.items():
        counts += _differing(right, roads[after].read(maps[before, network], picture))


def _differing(right: Result, other: Result) -> tuple[int, int]:
    """Count what differs, and what there is: boxes of both sides without a partner, or a text that is not the same."""
    if isinstance(right, Text) or isinstance(other, Text):
        assert isinstance(right, Text) and isinstance(other, Text)
        texts = TextAgreement()
        texts.add("", right, other)
        return len(texts.different), texts.lines
    boxes = BoxAgreement()
    boxes.add(right, other)
    total = boxes.reference + boxes.candidate
    return total - 2 * boxes.matched, total


def _part(index: int, changed: list[Change], own: Figures, shares: dict[Swap, float]) -> StageBlame:
    alone, left, both = shares[_ALONE[index]], shares[_ALL_BUT[index]], shares[_ALL]
    explained = (alone + both - left) / (2 * both) if both else 0.0
    return StageBlame(STAGES[index], changed, own, alone, left, explained)


class _Stages:
    """A road taken stage by stage, the same for all tasks; one line of text at a time, as Paddle Lite takes them."""

    def __init__(self, road: Road) -> None:
        self._engine = road.engine
        self._detector = Detector(road.engine, road.spec) if road.spec.task == "det" else None
        self._reader: Recognizer | Classifier | None = None  # of lines
        if self._detector is None:
            self._reader = (Recognizer if road.spec.task == "rec" else Classifier)(road.engine, road.spec)

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        if self._detector is not None:
            return self._detector.prepare(picture)
        assert self._reader is not None
        return self._reader.prepare([picture])

    def run(self, tensor: np.ndarray) -> np.ndarray:
        return self._engine.run([tensor])[0]

    def read(self, output: np.ndarray, picture: np.ndarray) -> Result:
        if self._detector is not None:
            return self._detector.read(output, picture)
        assert self._reader is not None
        return self._reader.read(output, [picture])[0]
