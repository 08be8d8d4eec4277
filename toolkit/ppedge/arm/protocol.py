"""What a host and a guest say to each other over the guest's stdin and stdout.

A message is ``u8 kind, u64 size, size bytes``; all integers are little-endian. The host asks, the guest answers each
message once:

    host  'M'  a model file's bytes                     guest  'I'  JSON: {"runtime": "onnxruntime 1.19.2", "inputs": 1}
    host  'R'  tensors, one an input: run the network   guest  'T'  tensors, one an output
    host  'Q'  JSON: what a guest of another kind does  guest  'I'  JSON: what became of it
    (end of the host's messages: the guest ends)        guest  'E'  instead of either: UTF-8 text, what went wrong

Tensors are ``u32 count``, then each: ``u8 dtype, u8 rank, rank x i64, the values in C order``. A guest brackets each
run of the network by ``prctl(0x4e4e4e4e, 1)`` and ``prctl(0x4e4e4e4e, 2)``, which the counting plugin sees.

The guests' halves: this file, which a guest's Python imports by itself (so it needs NumPy alone), and
``lite_runner.cc``; of questions ('Q'), the Android app's ``Desk.java``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

MODEL, RUN, QUESTION, INFO, TENSORS, ERROR = b"M", b"R", b"Q", b"I", b"T", b"E"
HEADER = struct.Struct("<cQ")
MARK, MARK_BEGIN, MARK_END = 0x4E4E4E4E, 1, 2
# The codes are part of the protocol: lite_runner.cc has the same.
DTYPES = {0: "<f4", 1: "<i8", 2: "<i4", 3: "|u1", 4: "|i1", 5: "|b1", 6: "<f2", 7: "<f8"}
_CODES = {np.dtype(name): code for code, name in DTYPES.items()}


def pack(tensors: Sequence[np.ndarray]) -> bytes:
    """Return arrays as the protocol's bytes.

    Raises:
        TypeError: The protocol has no code for an array's dtype.
    """
    parts = [struct.pack("<I", len(tensors))]
    for tensor in tensors:
        if tensor.dtype not in _CODES:
            raise TypeError(f"arrays of {tensor.dtype} are not part of the protocol")
        parts.append(struct.pack(f"<BB{tensor.ndim}q", _CODES[tensor.dtype], tensor.ndim, *tensor.shape))
        parts.append(tensor.tobytes())
    return b"".join(parts)


def unpack(payload: bytes) -> list[np.ndarray]:
    """Return the arrays in the protocol's bytes.

    Raises:
        ValueError: The bytes are not what `pack` gives.
    """
    try:
        (count,) = struct.unpack_from("<I", payload)
        at, tensors = 4, []
        for _ in range(count):
            code, rank = struct.unpack_from("<BB", payload, at)
            shape = struct.unpack_from(f"<{rank}q", payload, at + 2)
            at += 2 + 8 * rank
            tensor = np.frombuffer(payload, DTYPES[code], int(np.prod(shape, dtype=np.int64)), at).reshape(shape)
            tensors.append(tensor.copy())
            at += tensor.nbytes
    except (struct.error, KeyError) as error:
        raise ValueError(f"not tensors: {error}") from error
    if at != len(payload):
        raise ValueError(f"not tensors: {len(payload) - at} bytes left over")
    return tensors
