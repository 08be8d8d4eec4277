"""Bytes of made-up ``.pdmodel`` files, in protobuf's encoding: as much of a network as its signature takes."""

FEED, TENSOR, FETCH = 9, 7, 10


def varint(value):
    value &= (1 << 64) - 1
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, *parts):
    content = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(content)) + content


def variable(name, shape):
    tensor = message(1, number(1, 5), *(number(2, side) for side in shape))
    return message(3, message(1, name.encode()), message(2, number(1, TENSOR), message(3, tensor)))


def operator(kind, reads=(), writes=()):
    slots = [
        message(field, message(1, b"X"), *(message(2, name.encode()) for name in names))
        for field, names in ((1, reads), (2, writes))
    ]
    return message(4, *slots, message(3, kind.encode()))


def program(inputs, outputs, operators=("conv2d",)):
    """Return a network that takes and gives tensors of these shapes and has no weights."""
    ins, outs = ({f"{kind}{k}": s for k, s in enumerate(shapes)} for kind, shapes in (("x", inputs), ("y", outputs)))
    variables = [variable(name, shape) for name, shape in (ins | outs).items()]
    fed = [operator("feed", ["feed"], [name]) for name in ins]
    fetched = [operator("fetch", [name], ["fetch"]) for name in outs]
    return message(1, *variables, *fed, *(operator(kind) for kind in operators), *fetched)
