"""An Android release of Paddle Lite as `ppedge bundle --lite-android` looks at it: a library and a jar, by hand."""

import struct
import zipfile

from ppedge.bundle import jni
from ppedge.bundle.classfile import NATIVE, PUBLIC

LITE = "com/baidu/paddle/lite"
LOADED_AT = 0x1000
PREDICTOR_NATIVES = [("run", "()Z"), ("getInputCppTensorPointer", "(I)J")]
TENSOR_NATIVES = [("shape", "()[J"), ("getFloatData", "()[F")]
TENSOR_NATIVES += [("nativeSetData", f"([{kind})Z") for kind in "FBIJ"]
NATIVES = [
    *(f"Java_com_baidu_paddle_lite_PaddlePredictor_{name}" for name, _ in PREDICTOR_NATIVES),
    *(f"Java_com_baidu_paddle_lite_Tensor_{name}" for name in ("shape", "getFloatData")),
    *(f"Java_com_baidu_paddle_lite_Tensor_nativeSetData___3{kind}" for kind in "FBIJ"),
]


def elf(
    bits=64, machine=183, alignments=(16384, 16384), kind=3, needed=(), natives=NATIVES, strings_at=None, gnu=True,
    hidden=(), foreign=(),
):  # fmt: skip
    """A shared library of segments of these alignments: the first is loaded, and holds what the dynamic section names.

    ``hidden`` are functions that others cannot see, ``foreign`` those of other libraries.
    """
    wide = bits == 64
    word = "Q" if wide else "I"
    names = [*natives, *hidden, *foreign]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in [*needed, *names])
    at = [strings.index(name.encode() + b"\0") for name in [*needed, *names]]
    symbols = [(0, 0, 0)]
    for k, name in enumerate(names):
        symbols.append((at[len(needed) + k], 0x02 if name in hidden else 0x12, 0 if name in foreign else 7))
    table = b"".join(
        struct.pack("<IBBHQQ", n, info, 0, section, 0, 0) if wide else struct.pack("<IIIBBH", n, 0, 0, info, 0, section)
        for n, info, section in symbols
    )
    ends = [2] * (len(symbols) - 2) + [1] if len(symbols) > 1 else []  # the last of a chain has the lowest bit
    buckets = struct.pack("<4I", 1, 1, 1, 0) + bytes(bits // 8) + struct.pack("<I", 1 if ends else 0)
    chains = struct.pack(f"<{len(ends)}I", *ends)
    table_of_names = buckets + chains if gnu else struct.pack("<2I", 1, len(symbols)) + bytes(4 + 4 * len(symbols))
    loaded = strings + table + table_of_names
    places = {5: LOADED_AT if strings_at is None else strings_at, 6: LOADED_AT + len(strings)}
    places[0x6FFFFEF5 if gnu else 4] = LOADED_AT + len(strings) + len(table)
    entries = [
        (14, 0),
        *((1, place) for place in at[: len(needed)]),
        *places.items(),
        (0, 0),
        (1, 1),
    ]  # one after the end
    dynamic = b"".join(struct.pack(f"<2{word}", *entry) for entry in entries)
    head_size, entry_size = (64, 56) if wide else (52, 32)
    count = len(alignments) + 1 + bool(alignments)
    first = head_size + entry_size * count
    segments = [(0x6474E551, 0, 0, 0, 8)]
    if alignments:
        segments += [(2, first, 0, len(dynamic), 8), (1, first + len(dynamic), LOADED_AT, len(loaded), alignments[0])]
    segments += [(1, 0, 0, 0, alignment) for alignment in alignments[1:]]
    if wide:
        head = struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
        parts = [struct.pack("<IIQQQQQQ", t, 5, o, a, 0, size, size, by) for t, o, a, size, by in segments]
    else:
        head = struct.pack("<HHIIIIIHHHHHH", kind, machine, 1, 0, 52, 0, 0, 52, 32, count, 40, 0, 0)
        parts = [struct.pack("<IIIIIIII", t, o, a, 0, size, size, 5, by) for t, o, a, size, by in segments]
    body = dynamic + loaded if alignments else b""
    return b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9) + head + b"".join(parts) + body


class Constants:
    """A class file's constant pool while it is written."""

    def __init__(self):
        self.packed = [b"\x05" + bytes(8)]  # a long number, which takes the places 1 and 2
        self.numbers = {}

    def add(self, kind, content):
        if (kind, content) not in self.numbers:
            self.packed.append(bytes([kind]) + content)
            self.numbers[kind, content] = len(self.packed) + 1
        return self.numbers[kind, content]

    def text(self, text):
        return self.add(1, struct.pack(">H", len(text.encode())) + text.encode())

    def of_class(self, name):
        return self.add(7, struct.pack(">H", self.text(name)))


def class_file(name, parent="java/lang/Object", fields=(), methods=()):
    """A class; members are (name, descriptor, flags), and each has an attribute of three bytes."""
    pool = Constants()
    body = struct.pack(">HHHH", PUBLIC, pool.of_class(name), pool.of_class(parent), 0)
    for members in (fields, methods):
        body += struct.pack(">H", len(members))
        for member, descriptor, flags in members:
            body += struct.pack(">HHHH", flags, pool.text(member), pool.text(descriptor), 1)
            body += struct.pack(">HI", pool.text("Code"), 3) + b"abc"
    return struct.pack(">IHHH", 0xCAFEBABE, 0, 52, len(pool.packed) + 2) + b"".join(pool.packed) + body


def classes(without=()):
    """The classes by their paths: what the app uses, native methods; settings stand in the parent of MobileConfig."""
    natives = {(f"{LITE}/PaddlePredictor", *method) for method in PREDICTOR_NATIVES}
    natives |= {(f"{LITE}/Tensor", *method) for method in TENSOR_NATIVES}
    members = {f"{LITE}/{owner}": [] for owner in ("ConfigBase", "MobileConfig")}
    for owner, name, descriptor in sorted((jni.USED | natives) - set(without)):
        inherited = owner.endswith("MobileConfig") and name != "<init>"
        flags = PUBLIC | NATIVE if (owner, name, descriptor) in natives else PUBLIC
        members.setdefault(f"{LITE}/ConfigBase" if inherited else owner, []).append((name, descriptor, flags))
    return {
        f"{owner}.class": class_file(
            owner,
            f"{LITE}/ConfigBase" if owner.endswith("MobileConfig") else "java/lang/Object",
            [member for member in own if not member[1].startswith("(")],
            [member for member in own if member[1].startswith("(")],
        )
        for owner, own in members.items()
    }


def write_jar(path, files):
    with zipfile.ZipFile(path, "w") as jar:
        for name, content in files.items():
            jar.writestr(name, content)


def make_release(folder, library=None, place="java/so", files=None):
    (folder / "java/jar").mkdir(parents=True)
    write_jar(folder / "java/jar/PaddlePredictor.jar", classes() if files is None else files)
    (folder / place).mkdir(parents=True)
    (folder / place / "libpaddle_lite_jni.so").write_bytes(elf() if library is None else library)
    return folder
