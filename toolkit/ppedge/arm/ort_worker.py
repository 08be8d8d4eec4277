"""The guest that runs ONNX models on onnxruntime: started by the sandbox's Python, apart from ppedge.

One thread, operators one after the other: what is counted must not depend on scheduling. See ``protocol.py`` beside
this file.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import BinaryIO

import numpy as np
import onnxruntime

# In the guest this file's folder is on the path; the package is not.
from protocol import (  # type: ignore[import-not-found]
    ERROR,
    HEADER,
    INFO,
    MARK,
    MARK_BEGIN,
    MARK_END,
    MODEL,
    TENSORS,
    pack,
    unpack,
)

_libc = ctypes.CDLL(None)


class Network:
    """A loaded model.

    Args:
        data: The bytes of an ONNX file.
    """

    def __init__(self, data: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._names = [value.name for value in self._session.get_inputs()]

    def info(self) -> bytes:
        """Say what was loaded, as the protocol's JSON."""
        return json.dumps({"runtime": f"onnxruntime {onnxruntime.__version__}", "inputs": len(self._names)}).encode()

    def run(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Run the network between two marks."""
        if len(inputs) != len(self._names):
            raise ValueError(f"the model has {len(self._names)} inputs, {len(inputs)} were given")
        feed = dict(zip(self._names, inputs, strict=True))
        _libc.prctl(MARK, MARK_BEGIN)
        outputs = self._session.run(None, feed)
        _libc.prctl(MARK, MARK_END)
        return list(outputs)


def _answer(kind: bytes, payload: bytes, network: Network | None) -> tuple[bytes, bytes, Network | None]:
    if kind == MODEL:
        network = Network(payload)
        return INFO, network.info(), network
    if network is None:
        raise ValueError("no model was opened")
    return TENSORS, pack(network.run(unpack(payload))), network


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer messages until there are no more."""
    network: Network | None = None
    while len(header := source.read(HEADER.size)) == HEADER.size:
        kind, size = HEADER.unpack(header)
        try:
            answer, payload, network = _answer(kind, source.read(size), network)
        except Exception as error:  # onnxruntime raises errors of many kinds; the host hears all of them
            answer, payload = ERROR, f"{type(error).__name__}: {error}".encode()
        sink.write(HEADER.pack(answer, len(payload)) + payload)
        sink.flush()


def main() -> None:
    """Serve on stdin and stdout; what libraries print goes to stderr."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
