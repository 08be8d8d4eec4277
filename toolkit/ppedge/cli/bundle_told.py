"""What ``ppedge bundle`` prints of what it has made."""

from __future__ import annotations

from typing import Any


def told(result: dict[str, Any]) -> list[str]:
    """Return what was built, and what went into an app, a line each."""
    lines = []
    if "bundle" in result:
        golden = f"{result['golden']} golden pictures with {result['lines']} lines"
        lines.append(f"{result['bundle']}: {result['precision']}, {golden}, {result['bytes']:,} bytes in all")
        shown = {model["file"]: model for model in result["models"].values()}
        shown |= {model["file"]: model for model in result.get("recognizers", {}).values()}
        for model in shown.values():
            about = f"{model['precision']}, opt {model['opt_version']}, {model['bytes']:,} bytes"
            lines.append(f"  {model['file']}: {about}")
        if result["golden"]:
            lines.append(
                f"  golden: {result['golden_bytes']:,} bytes, for the app's self-test; --golden COUNT takes fewer"
            )
        else:
            lines.append("  no golden pictures: the app's self-test and benchmark have nothing to work on")
        if result["golden_sources"] not in ([], ["synthetic"]):
            lines.append("  the golden pictures are in it as they are: check that you may pass them on")
    if "assets" in result:
        lines.append(f"{result['assets']}: the bundle")
        if result["onnx_bytes"]:
            lines.append(
                f"  note: {result['onnx_bytes']:,} of its {result['assets_bytes']:,} bytes are ONNX twins, which the "
                "app never opens: build the app's bundle without --onnx, at another --out"
            )
    for file in result.get("lite", {}).get("files", []):
        lines.append(f"{file['file']}: {file['bytes']:,} bytes")
    return lines
