"""Paddle Lite's ``.nb`` from an inference model, by ``opt`` of the ``paddlelite`` wheel.

What opt 2.13-rc does: a network with fake_quantize_dequantize operators becomes int8 whatever precision is asked, a
float one never does; ``enable_fp16`` sets float kernels to fp16 (not ``rnn``) but leaves the weights in fp32, and sets
none in a network with a layer in int8, whose float layers stay in fp32. The output depends on the input's bytes alone,
but for the header's tail.

What it must not be let do: join anything with a transposed convolution in int8. A BatchNorm is multiplied into the
filter's scales once for each input channel (``ConvBNFuser::InsertNewNode``), and with a bias and ReLU the kernel of
Paddle Lite 2.12 computes something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal

from ppedge.convert.opt import opt_python
from ppedge.errors import MissingError, PpedgeError
from ppedge.files import arm_kernels
from ppedge.files.for_opt import complete, misread
from ppedge.files.inference_model import InferenceModel
from ppedge.files.naming import named
from ppedge.files.nb import NbFile, parse_nb, zero_header_tail
from ppedge.files.nb_summary import CONVOLUTIONS, require_int8
from ppedge.process import run_child
from ppedge.scratch import scratch
from ppedge.storage import atomic_write

Precision = Literal["fp32", "fp16", "int8"]

CPU_INFO = Path("/proc/cpuinfo")
_OPT = """
import sys
from paddlelite.lite import Opt
model, params, out, precision = sys.argv[1:]
opt = Opt()
opt.set_model_file(model)
opt.set_param_file(params)
opt.set_model_type("naive_buffer")
opt.set_optimize_out(out)
if precision == "fp16":
    opt.enable_fp16()
opt.set_valid_places("arm")
opt.run()
"""


def to_nb(
    model: Path,
    out: Path,
    precision: Precision,
    allowed_float: Collection[str] = (),
    layers: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> NbFile:
    """Convert an inference model for ARM.

    Args:
        model: Prefix of the ``.pdmodel`` and ``.pdiparams`` files; for ``int8``, of a quantized network's.
        out: The ``.nb`` file; equal inputs give equal bytes.
        precision: What the convolutions are to compute in; the result is checked for it.
        allowed_float: For ``int8``: operator types or weight names that may stay float, see `nb.require_int8`.
        layers: The network's own names of layers by those of their weights, for the error; may lack any.
        say: Told what opt is given otherwise than it stands in the model.

    Returns:
        The file, as read back.

    Raises:
        MissingError: ``paddlelite`` is not installed, or the processor has no AVX, which opt needs.
        PpedgeError: The model is damaged, opt failed, or the result is not of that precision or has an operator that no
            phone runs; ``out`` is as before.
    """
    files = InferenceModel.at(model)
    files.check()
    python, variables = require_opt()
    _require_read(files)
    with scratch("opt") as folder:
        written, program = folder / "model.nb", files.model
        completed, additions = complete(program.read_bytes())
        if additions:
            program = folder / "model.pdmodel"
            program.write_bytes(completed)
            say(f"{files.model.name}: for opt, {' and '.join(additions)}; the network computes the same")
        run_child(
            [python, "-c", _OPT, program, files.params, written.with_suffix(""), precision],
            f"Converting {files.model} to {out.name} with Paddle Lite's opt",
            env=variables,
            cause="The network may have an operator that Paddle Lite lacks, or the memory may be too small.",
        )
        if not written.is_file():
            raise PpedgeError(
                f"{files.model}: Paddle Lite's opt wrote no file.", "Is there space in the temporary folder?"
            )
        data = zero_header_tail(written.read_bytes())
    nb = parse_nb(data, out)
    _require(nb, precision, allowed_float)
    _require_apart(nb, layers or {})
    _require_registered(nb, layers or {})
    with atomic_write(out) as file:
        file.write(data)
    return nb


def _require_read(files: InferenceModel) -> None:
    """Refuse what opt would convert to another network without a word."""
    wrong = misread(files.model.read_bytes())
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise PpedgeError(
            f"{files.model}: opt would compute the scale that makes {wrong[0]}{more} before the activation in front of "
            "it.",
            "Let it be rewritten (--rewrite exact), or write ONNX only: --format onnx.",
        )


def require_opt() -> tuple[Path, dict[str, str]]:
    """Check that opt can run here.

    Returns:
        The Python that runs it, and the variables of its environment, as `ppedge.convert.opt.opt_python` finds them.

    Raises:
        MissingError: ``paddlelite`` is not installed, or the processor has no AVX.
    """
    found = opt_python()
    try:
        flags = CPU_INFO.read_text()
    except OSError:
        return found  # Unknown; opt's own death will tell.
    if "avx" not in flags.split():
        raise MissingError("Paddle Lite's opt needs a processor with AVX.", "Convert on another machine.")
    return found


def _require(nb: NbFile, precision: Precision, allowed_float: Collection[str]) -> None:
    if precision == "int8":
        require_int8(nb, allowed_float)
        return
    other = {op.precision for op in nb.operators if op.type in CONVOLUTIONS} - {precision}
    if other:
        hint = "Convert the float network for it." if "int8" in other else "Leave it out of convert.precisions."
        raise PpedgeError(f"{nb.path}: not {precision}: it has convolutions in {', '.join(sorted(other))}.", hint)


def _require_apart(nb: NbFile, layers: Mapping[str, str]) -> None:
    """Refuse transposed convolutions in int8 with which opt has joined a bias, a BatchNorm or an activation."""
    for op in nb.operators:
        joined = bool(op.inputs.get("Bias")) or bool(op.attributes.get("with_act"))
        if op.type.endswith("conv2d_transpose") and op.int8 and joined:
            weight = ", ".join(op.inputs.get("Filter", ["?"]))
            raise PpedgeError(
                f"{nb.path}: opt has joined what follows {layers.get(weight, weight)} with it, a transposed "
                "convolution, and Paddle Lite computes that wrongly in 8 bits.",
                "Keep the layer in float: name it in slim.quant.exclude, and slim again.",
            )


def _require_registered(nb: NbFile, layers: Mapping[str, str]) -> None:
    """Refuse a file with operators that opt has written and the ARM runtime has no kernel for."""
    wrong = [
        f"{op.type} ({op.precision}, {name or 'before all layers'})"
        for op, name in zip(nb.operators, named(nb.operators, layers), strict=True)
        if not arm_kernels.registered(op)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise PpedgeError(
            f"{nb.path}: Paddle Lite's ARM runtime has no kernel for {', '.join(wrong[:3])}{more}.",
            "Compute it by other operators (silu as x * sigmoid(x)), or write ONNX only: --format onnx.",
        )
