"""Closed-form reduction of a detector's neck and head.

From the backbone's maps to the head's first BatchNorm DB's detector is linear: 1x1 convolutions, additions, nearest
upsampling, 3x3 convolutions, a concatenation, a 3x3 convolution. All of that is replaced by `LinearNeck` and one 3x3
convolution, whose few channels in between are the best narrow place of the original's last two layers. A neck that is
not linear, such as PP-OCRv3's, which weighs channels by their means, loses what the best linear map cannot give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import paddle
import paddle.nn.functional as F

from ppedge.errors import PpedgeError
from ppedge.models.network import Network
from ppedge.slim.arm.elimination import Elimination, Fitted, eliminate
from ppedge.slim.arm.least_squares import Array, Moments, bottleneck, bottleneck_errors, fit, root_of_readers
from ppedge.slim.arm.readers import Places, Rows, reader_of, rows
from ppedge.slim.rewrites import Rewrite, apply_rewrite, layer_at
from ppedge.slim.watch import watch
from ppedge.train.recorder import INPUT

POSITIONS = 1024
HEAD, THRESHOLD = "head.binarize", "head.thresh"


def collapse_neck(
    student: Network,
    teacher: Network,
    pictures: Sequence[paddle.Tensor],
    rank: int,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Rewrite, float, float]:
    """Replace a detector's neck and its head's first convolution, fitted to the teacher's, in place.

    Args:
        student: A detector in eval mode with a shuffle head; its backbone may be cut already.
        teacher: The original network, in eval mode.
        pictures: Inputs (N, 3, H, W).
        rank: Channels between the two.
        advance: Called after each pass over the pictures, of which there are three.

    Returns:
        The rewrite; the squared error of the narrow place against the original's, relative to its variance; the same of
        what the head's first BatchNorm reads.

    Raises:
        PpedgeError: The neck has fewer channels than that.
    """
    rng = np.random.default_rng(0)
    kernel = teacher.head.binarize.conv1.weight.numpy()
    if rank > kernel.shape[1]:
        raise PpedgeError(
            f"slim.prune.arm.neck_width={rank}: the neck as trained has {kernel.shape[1]} channels.",
            "Ask for fewer, or for null, which leaves the neck.",
        )
    with paddle.no_grad():
        neck = layer_at(teacher, "neck")
        wanted = [neck(teacher.backbone(picture)) for picture in pictures]
        given = [[map_.numpy() for map_ in student.backbone(picture)] for picture in pictures]
        encoder, decoder = bottleneck(kernel, _covariance(wanted, rng), rank)
        advance()
        in_channels = [map_.shape[1] for map_ in given[0]]
        rewrite = Rewrite("linear_neck", "neck", {"in_channels": in_channels, "width": rank})
        apply_rewrite(student, rewrite)
        neck_error = _fit_neck(student, given, wanted, encoder, rng)
        advance()
        student.head.binarize.conv1.weight.set_value(np.einsum("ockl,cr->orkl", kernel, decoder).astype(np.float32))
        map_error = _fit_first_convolution(student, teacher, given, wanted, rng)
        advance()
    return rewrite, neck_error, map_error


def neck_errors(teacher: Network, pictures: Sequence[paddle.Tensor], last: str | None = None) -> dict[int, float]:
    """Return the share of what the head's first convolution gives that is lost, by channels between neck and head.

    Args:
        teacher: The original network, in eval mode.
        pictures: Inputs (N, 3, H, W).
        last: For a neck that is not linear itself, the name of the backbone's last layer, which goes with it, or an
            empty one: what the best linear map of what is left loses at any width comes on top. None: the neck is
            linear.
    """
    kernel, rng = teacher.head.binarize.conv1.weight.numpy(), np.random.default_rng(0)
    readers, seen, read = root_of_readers(kernel).astype(np.float32), Moments(), Moments()
    given, before_last = f"neck{INPUT}", f"{last}{INPUT}"
    for picture in pictures:
        passed = watch(teacher, ["neck", given, *([before_last] if last else [])], picture)
        features = passed["neck"]
        places = _sample(features.shape, rng)
        values = rows(features.numpy(), places)
        seen.add(values, values[:, :1])
        if last is not None:
            maps = [*passed[given][:-1], passed[before_last]] if last else passed[given]
            read.add(_given_to_linear([map_.numpy() for map_ in maps], features, places), values @ readers)
    lost = 0.0
    if last is not None:  # errors of all channels in one unit: their sum is a share of the sum of variances
        lost = fit(read, np.full(len(readers), np.sqrt((read.deviations**2).mean()))).error
    errors = bottleneck_errors(kernel, seen.covariances()[0])
    return {rank: float(error) + lost for rank, error in enumerate(errors, start=1)}


def _covariance(maps: Iterable[paddle.Tensor], rng: np.random.Generator) -> Array:
    seen = Moments()
    for features in maps:
        values = rows(features.numpy(), _sample(features.shape, rng))
        seen.add(values, values[:, :1])
    return seen.covariances()[0]


def _fit_neck(
    student: Network,
    given: Sequence[Sequence[Rows]],
    wanted: Sequence[paddle.Tensor],
    encoder: Array,
    rng: np.random.Generator,
) -> float:
    moments = Moments()
    for maps, features in zip(given, wanted, strict=True):
        places = _sample(features.shape, rng)
        values = rows(features.numpy(), places) @ encoder.T.astype(np.float32)
        moments.add(_given_to_linear(maps, features, places), values)
    found = fit(moments)
    begin = 0
    for level, map_ in enumerate(given[0], start=2):
        conv = getattr(student.neck, f"in{level}_conv")
        width = 9 * map_.shape[1]
        weight = found.weight[begin : begin + width].T.reshape(conv.weight.shape)
        conv.weight.set_value(weight.astype(np.float32))
        begin += width
    return found.error


def _fit_first_convolution(
    student: Network,
    teacher: Network,
    given: Sequence[Sequence[Rows]],
    wanted: Sequence[paddle.Tensor],
    rng: np.random.Generator,
) -> float:
    """Fit the head's first convolution anew to what the narrow place has become."""
    moments, head, original = Moments(), student.head.binarize, teacher.head.binarize
    for maps, features in zip(given, wanted, strict=True):
        narrow = layer_at(student, "neck")([paddle.to_tensor(map_) for map_ in maps]).numpy()
        target = original.conv_bn1(original.conv1(features)).numpy()
        places = _sample(features.shape, rng)
        moments.add(patches(narrow, features.shape[3], places), rows(target, places))
    found = fit(moments)
    first = reader_of(head.conv1, head.conv_bn1, narrow.shape)
    assert first is not None  # a plain convolution
    first.put(found, np.arange(len(found.weight)))
    return found.error


def narrow_head(student: Network, pictures: Sequence[paddle.Tensor], width: int) -> tuple[Rewrite | None, float]:
    """Leave so many channels before a shuffle head's last convolution, which is refitted; in place.

    Returns:
        The rewrite, None if there are no more channels than that, and the error of the 16 logits.
    """
    head = student.head.binarize
    if head.conv3.weight.shape[1] <= width:
        return None, 0.0
    moments = _head_moments(student, pictures)
    kept = _eliminated(moments, width, width)[width].kept
    state = {
        f"{layer}.{name}": value.numpy()
        for layer in ("conv2", "conv_bn2")
        for name, value in getattr(head, layer).state_dict().items()
    }
    rewrite = Rewrite("narrow_head", HEAD, {"width": width})
    apply_rewrite(student, rewrite)
    for name, value in state.items():
        layer, _, parameter = name.partition(".")
        getattr(head, layer).state_dict()[parameter].set_value(value[kept])
    found = fit(moments.of(kept))
    last = reader_of(head.conv3, head.conv_bn3, [1, width, 1, 1])
    assert last is not None  # a plain convolution
    last.put(found, np.arange(width))
    return rewrite, found.error


def head_errors(net: Network, pictures: Sequence[paddle.Tensor], multiple: int) -> dict[int, float]:
    """Return the error of a shuffle head's 16 logits by channels that stay before its last convolution.

    Args:
        net: A detector in eval mode with such a head.
        pictures: Inputs (N, 3, H, W).
        multiple: Counts are multiples of this; the head's own is there too.
    """
    return {count: left.error for count, left in _eliminated(_head_moments(net, pictures), multiple).items()}


def _eliminated(moments: Moments, multiple: int, least: int | None = None) -> dict[int, Elimination]:
    inputs = np.arange(len(moments.means[0]))
    return eliminate([Fitted(moments, moments.deviations, inputs[:, None])], multiple, least)


def _head_moments(net: Network, pictures: Sequence[paddle.Tensor]) -> Moments:
    """Gather what a shuffle head's last convolution reads, and its logits."""
    head, neck, rng, moments = net.head.binarize, layer_at(net, "neck"), np.random.default_rng(0), Moments()
    with paddle.no_grad():
        for picture in pictures:
            x = F.relu(head.conv_bn1(head.conv1(neck(net.backbone(picture)))))
            inner = F.relu(head.conv_bn2(head.conv2(x)))
            places = _sample(inner.shape, rng)
            moments.add(rows(inner.numpy(), places), rows(head.conv_bn3(head.conv3(inner)).numpy(), places))
    return moments


def _sample(shape: Sequence[int], rng: np.random.Generator) -> Places:
    """Draw positions of a map (N, C, H, W), the same for all N."""
    count = shape[2] * shape[3]
    return np.sort(rng.choice(count, min(POSITIONS, count), replace=False))


def _given_to_linear(maps: Sequence[Rows], features: paddle.Tensor, places: Places) -> Rows:
    """What a linear neck's convolutions read of all maps, at positions of the features that it makes of them."""
    return np.concatenate([patches(map_, features.shape[3], places) for map_ in maps], axis=1)


def patches(values: Rows, width: int, places: np.ndarray) -> Rows:
    """What a 3x3 convolution of a map reads, at positions of a map that is upsampled from it by repeating pixels.

    Args:
        values: (N, C, h, w).
        width: Of the upsampled map, a multiple of w.
        places: Positions on the upsampled map, row by row.

    Returns:
        (N * places, 9 C): channel by channel, row by row.
    """
    samples, channels, _, own = values.shape
    factor = width // own
    y, x = places // width // factor, places % width // factor
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = [padded[:, :, y + row, x + column] for row in range(3) for column in range(3)]  # (N, C, places) each
    stacked = np.stack(taps, axis=-1)  # (N, C, places, 9)
    return np.ascontiguousarray(stacked.transpose(0, 2, 1, 3).reshape(samples * len(places), 9 * channels))
