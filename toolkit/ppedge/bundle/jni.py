"""Whether Paddle Lite's Java API, its library and the app belong together: what each calls of the next.

Java finds a native method by the name of a function in the library, after the Java Native Interface Specification,
chapter "Resolving Native Method Names". One that is missing is noticed on the phone, at the first call.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ppedge.bundle.classfile import NATIVE, PUBLIC, ClassFile, Member, read_class
from ppedge.errors import SHOWN, PpedgeError, cut

PACKAGE = "com/baidu/paddle/lite/"
_MAX_CLASS = 1 << 20  # bytes: Paddle Lite's largest has some thousand
_ONE_RELEASE = "Take both from the java folder of one release of Paddle Lite, and unpack it again."

USED = frozenset(
    (PACKAGE + owner, name, descriptor.replace("$", f"L{PACKAGE}"))
    for owner, name, descriptor in (
        ("MobileConfig", "<init>", "()V"),
        ("MobileConfig", "setModelFromFile", "(Ljava/lang/String;)V"),
        ("MobileConfig", "setThreads", "(I)V"),
        ("MobileConfig", "setPowerMode", "($PowerMode;)V"),
        ("PowerMode", "valueOf", "(Ljava/lang/String;)$PowerMode;"),
        *(
            ("PowerMode", f"LITE_POWER_{mode}", "$PowerMode;")
            for mode in ("HIGH", "LOW", "FULL", "NO_BIND", "RAND_HIGH", "RAND_LOW")
        ),
        ("PaddlePredictor", "createPaddlePredictor", "($ConfigBase;)$PaddlePredictor;"),
        ("PaddlePredictor", "getInput", "(I)$Tensor;"),
        ("PaddlePredictor", "getOutput", "(I)$Tensor;"),
        ("PaddlePredictor", "run", "()Z"),
        ("Tensor", "resize", "([J)Z"),
        ("Tensor", "setData", "([F)Z"),
        ("Tensor", "shape", "()[J"),
        ("Tensor", "getFloatData", "()[F"),
    )
)
"""Class, name and descriptor of each member of Paddle Lite that the app cannot do without. `PaddlePredictor.getVersion`
is not among them: a release that lacks it is one of unknown version."""

# Releases before 2.14 give setData(long[]) a name that no Java finds. The app sets floats alone.
_MISNAMED = {
    "Java_com_baidu_paddle_lite_Tensor_nativeSetData___3J": "Java_com_baidu_paddle_lite_Tensor_nativeSetData___3L"
}


def read_jar(jar: Path) -> dict[str, ClassFile]:
    """Return the classes of a jar by their names.

    Raises:
        PpedgeError: It is none, or a class in it is damaged.
    """
    classes = {}
    try:
        with zipfile.ZipFile(jar) as packed:
            for entry in packed.infolist():
                if not entry.filename.endswith(".class"):
                    continue
                where = f"{jar}: {cut(entry.filename)}"
                if entry.file_size > _MAX_CLASS:
                    raise PpedgeError(f"{where} has {entry.file_size:,} bytes.", _ONE_RELEASE)
                found = read_class(packed.read(entry), where)
                classes[found.name] = found
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError) as error:
        raise PpedgeError(f"{jar}: not a jar that can be read: {cut(str(error))}.", _ONE_RELEASE) from error
    return classes


def require_members(jar: Path, classes: dict[str, ClassFile]) -> None:
    """Check that a jar has what the app uses.

    Raises:
        PpedgeError: It lacks something; the sentence names it.
    """
    missing = sorted(member for member in USED if not _has(classes, *member))
    if missing:
        owner, name, descriptor = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise PpedgeError(
            f"{jar}: has no public {owner.replace('/', '.')}.{name} {descriptor}{more}, which the app uses.",
            "Take the release of Paddle Lite that the models' opt is of, a build with Java.",
        )


def _has(classes: dict[str, ClassFile], owner: str, name: str, descriptor: str) -> bool:
    """Whether a class or one that it extends has a public member; constructors are not inherited."""
    seen: set[str] = set()
    while owner in classes and owner not in seen:
        seen.add(owner)
        found = classes[owner]
        for member in (*found.fields, *found.methods):
            if (member.name, member.descriptor) == (name, descriptor):
                return bool(member.flags & PUBLIC)
        owner = "" if name == "<init>" else found.parent
    return False


def require_natives(jar: Path, classes: dict[str, ClassFile], library: Path, exported: frozenset[str]) -> None:
    """Check that a library has the functions that a jar's native methods call.

    Args:
        jar: For errors.
        classes: The jar's.
        library: For errors.
        exported: The names of the library's functions.

    Raises:
        PpedgeError: One is missing: the two are of different releases.
    """
    missing = []
    for found in classes.values():
        for method, names in native_names(found):
            if not exported & {*names, _MISNAMED.get(names[-1], "")}:
                what = f"{found.name.rpartition('/')[2]}.{method.name} {method.descriptor}"
                missing.append((cut(what), cut(names[0], 2 * SHOWN)))
    if missing:
        what, symbol = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise PpedgeError(
            f"{library}: lacks {symbol}{more}, which {jar.name} calls ({what}): the two are of different releases.",
            _ONE_RELEASE,
        )


def native_names(found: ClassFile) -> Iterator[tuple[Member, list[str]]]:
    """Yield a class's native methods, each with the names that its function may have, the long one last.

    The short one does for a method that is not overloaded by another native one.
    """
    natives = [method for method in found.methods if method.flags & NATIVE]
    count = Counter(method.name for method in natives)
    for method in natives:
        short = f"Java_{_mangled(found.name)}_{_mangled(method.name)}"
        arguments = method.descriptor[1 : method.descriptor.index(")")] if ")" in method.descriptor else ""
        long = f"{short}__{_mangled(arguments)}"
        yield method, [short, long] if count[method.name] == 1 else [long]


def _mangled(text: str) -> str:
    """Return a name as a C function may have it."""
    known = {"/": "_", "_": "_1", ";": "_2", "[": "_3"}
    units = text.encode("utf-16-be", "surrogatepass")
    characters = [chr(int.from_bytes(units[k : k + 2], "big")) for k in range(0, len(units), 2)]
    return "".join(known.get(c, c if c.isascii() and c.isalnum() else f"_0{ord(c):04x}") for c in characters)
