"""What a data set is like, in figures: sizes, lengths, characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ppedge.data.labelled import ClsSample, DetSample
from ppedge.data.lines import rec_samples_from_detection
from ppedge.data.pictures import line_size, size_of
from ppedge.ocr.charset import Charset

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""That a `Spread` holds: the least, the quarters, the most."""

Spread = tuple[float, ...]


@dataclass(frozen=True)
class Statistics:
    """What samples are like.

    Attributes:
        pictures: Different pictures.
        samples: How many samples.
        regions: Text regions of detection labels; 0 for lines.
        ignored: Those of them that are neither text nor background.
        spreads: `QUANTILES` of measures by their names; of a measure that no sample has, nothing.
        lengths: How many texts have so many characters, by characters, ascending.
        characters: How often each occurs, the most frequent first.
        unknown: How often each occurs that the charset lacks.
    """

    pictures: int
    samples: int
    regions: int
    ignored: int
    spreads: dict[str, Spread]
    lengths: dict[int, int]
    characters: dict[str, int]
    unknown: dict[str, int] = field(default_factory=dict)


def statistics_of(samples: Sequence[Any], charset: Charset | None = None, height: int | None = None) -> Statistics:
    """Look at samples.

    Args:
        samples: `DetSample` or `RecSample`; their pictures are opened for their sizes and not decoded.
        charset: Count characters that it lacks.
        height: Of lines as a recogniser sees them, in pixels: how wide lines are at this height is told too.
    """
    detection = [sample for sample in samples if isinstance(sample, DetSample)]
    lines = rec_samples_from_detection(detection) if detection else list(samples)
    sizes = _known([line_size(line) for line in lines])
    texts = [line.text for line in lines if not isinstance(line, ClsSample)]  # whose text is its direction
    pictures = list(dict.fromkeys(sample.image for sample in samples))
    whole = _known([size_of(path) for path in pictures])
    measures: dict[str, Any] = {
        "width of a picture, px": whole[:, 0],
        "height of a picture, px": whole[:, 1],
        "regions in a picture": [len(sample.polygons) for sample in detection],
        "width of a line, px": sizes[:, 0],
        "height of a line, px": sizes[:, 1],
        **({f"width of a line {height} px high, px": sizes[:, 0] / sizes[:, 1] * height} if height else {}),
        "characters of a text": [len(text) for text in texts],
    }
    characters = Counter(character for text in texts for character in text)
    unknown = Counter(character for text in texts for character in charset.unknown(text)) if charset else Counter()
    return Statistics(
        pictures=len(pictures),
        samples=len(samples),
        regions=sum(len(sample.polygons) for sample in detection),
        ignored=sum(sum(sample.ignore) for sample in detection),
        spreads={name: _spread(values) for name, values in measures.items() if len(values)},
        lengths=dict(sorted(Counter(map(len, texts)).items())),
        characters=dict(sorted(characters.items(), key=lambda item: (-item[1], item[0]))),
        unknown=dict(sorted(unknown.items())),
    )


def counted(characters: Mapping[str, int]) -> str:
    """Write how often each character occurs, for people."""
    return ", ".join(f"{character!r} {count}" for character, count in characters.items())


def _spread(values: Any) -> Spread:
    return tuple(float(value) for value in np.quantile(np.asarray(values, np.float64), QUANTILES))


def _known(sizes: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Return sizes as an array (N, 2), without those of pictures that cannot be read."""
    found = np.array(sizes, np.float64).reshape(-1, 2)
    return found[(found > 0).all(axis=1)]
