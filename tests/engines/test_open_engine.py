import subprocess
import sys

import pytest

from ppedge.engines import ENGINES, open_engine
from ppedge.errors import PpedgeError


def test_an_unknown_engine_names_the_known_ones():
    with pytest.raises(PpedgeError, match="arm-onnx: no such engine") as caught:
        open_engine("arm-onnx", "model.onnx")
    assert "Did you mean arm-onnxruntime?" in caught.value.hint
    assert all(name in caught.value.hint for name in ENGINES)


def test_engines_are_imported_when_opened():
    program = (
        "import sys, ppedge.engines, ppedge.engines.arm_onnxruntime, ppedge.engines.arm_paddlelite;"
        "assert not {'paddle', 'onnxruntime', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
