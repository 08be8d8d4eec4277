"""The sizes of what networks are given, for every stage that traces, counts, exports or tries one."""

from __future__ import annotations

from ppedge.recipe.road import Recipe

COUNT_SIDE = 320
TRACE_SIDE = 64
Shape = tuple[int, int, int, int]


def line_height(recipe: Recipe) -> int:
    """Return the height in pixels of the lines that a recogniser or classifier takes; a detector takes any picture."""
    return recipe.cls_preprocess.height if recipe.task == "cls" else recipe.rec_preprocess.height


def count_size(recipe: Recipe) -> tuple[int, int]:
    """Return height and width in pixels of the input that a network's cost is measured on: a free side is 320."""
    return _sized(recipe, COUNT_SIDE)


def trace_shape(recipe: Recipe) -> Shape:
    """Return the (N, C, H, W) that a network is traced with and its FLOPs are counted at: a free side is 64."""
    return (1, 3, *_sized(recipe, TRACE_SIDE))


def exported_shape(task: str, height: int, *, free_batch: bool = False) -> Shape:
    """Return the (N, C, H, W) of an exported network's input, -1 for what is free.

    A recogniser's batch is fixed to 1 for Paddle Lite, which aborts when it runs an LSTM whose zero initial states have
    a shape that is computed from a free batch.

    Args:
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
        free_batch: Leave a recogniser's batch free too.
    """
    if task == "det":
        return -1, 3, -1, -1
    return 1 if task == "rec" and not free_batch else -1, 3, height, -1


def case_shapes(task: str, height: int) -> list[Shape]:
    """Return the (N, C, H, W) of two inputs of different free sizes, to hold an ONNX file against the network.

    Args:
        task: ``det``, ``rec`` or ``cls``.
        height: Of the lines that a recogniser or classifier takes, in pixels.
    """
    if task == "det":
        return [(1, 3, 64, 96), (2, 3, 96, 32)]
    return [(1, 3, height, 160), (2, 3, height, 64)]


def _sized(recipe: Recipe, free: int) -> tuple[int, int]:
    if recipe.task == "det":
        return free, free
    return line_height(recipe), recipe.cls_preprocess.width if recipe.task == "cls" else free
