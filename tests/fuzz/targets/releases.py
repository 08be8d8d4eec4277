"""Android releases of Paddle Lite: the jar, the classes in it, and the library."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import strategies as st

from fuzz.contract import Files, Target
from fuzz.mutations import NAMES, damaged
from lite_release import LITE, class_file, classes, elf
from ppedge.bundle.android import find_release
from ppedge.bundle.classfile import NATIVE

_JAR, _LIBRARY = "release/java/jar/PaddlePredictor.jar", "release/java/so/libpaddle_lite_jni.so"


def _packed(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as jar:
        for name, content in files.items():
            jar.writestr(name, content)
    return file.getvalue()


def _whole() -> Files:
    return {_JAR: _packed(classes()), _LIBRARY: elf()}


def _inputs() -> st.SearchStrategy[Files]:
    own, whole = classes(), _whole()
    libraries = [elf(), elf(gnu=False), elf(bits=32), elf(needed=["libc.so", "libc++_shared.so"])]
    odd = st.sampled_from([*NAMES, "x" * 60000])
    native = st.builds(lambda name, types: class_file(f"{LITE}/Odd", methods=[(name, types, NATIVE)]), odd, odd)
    broken = st.sampled_from(sorted(own)).flatmap(
        lambda name: damaged([own[name]]).map(lambda content: own | {name: content})
    )
    added = st.builds(lambda name, content: own | {f"x{name}.class": content}, odd, native)
    jars = st.one_of(broken.map(_packed), added.map(_packed), damaged([whole[_JAR]]))
    return st.one_of(
        jars.map(lambda jar: whole | {_JAR: jar}),
        damaged(libraries).map(lambda library: whole | {_LIBRARY: library}),
    )


def _call(folder: Path) -> None:
    find_release(folder / "release")


TARGETS = [Target("android", _whole, _inputs, _call, told=("PaddlePredictor.jar", "libpaddle_lite_jni.so"))]
