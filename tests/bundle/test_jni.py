"""Whether the app, Paddle Lite's Java API and its library belong together, before any phone sees them."""

import shutil
import struct
import subprocess

import pytest
from test_android import app, ppedge  # noqa: F401

from lite_release import LITE, NATIVES, class_file, classes, elf, make_release
from ppedge.bundle import android, jni
from ppedge.bundle.classfile import NATIVE, PUBLIC, STATIC, Member, read_class
from ppedge.bundle.elf import read_elf
from ppedge.errors import PpedgeError

SET_LONGS = "Java_com_baidu_paddle_lite_Tensor_nativeSetData___3J"


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("gnu", [True, False])
def test_a_librarys_functions_are_those_that_java_finds(tmp_path, bits, gnu):
    library = tmp_path / "lib.so"
    library.write_bytes(elf(bits, gnu=gnu, natives=[*NATIVES, "JNI_OnLoad"], hidden=["Java_a"], foreign=["Java_b"]))
    assert read_elf(library).natives == set(NATIVES)
    library.write_bytes(elf(bits, gnu=gnu, natives=[]))
    assert read_elf(library).natives == set()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make a library with")
@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_functions_of_a_library_that_a_linker_made(tmp_path, style):
    names = [f"Java_dev_ppedge_{name}" for name in ("run", "shape", "set___3F", "set___3J")]
    code = "".join(f"void {name}(void) {{}}\n" for name in [*names, "other"]) + "static void Java_own(void) {}\n"
    code += "void Java_elsewhere(void);\nvoid calls(void) { Java_own(); Java_elsewhere(); }\n"
    (tmp_path / "a.c").write_text(code)
    library = tmp_path / "a.so"
    command = ["cc", "-shared", "-fPIC", "-nostdlib", f"-Wl,--hash-style={style}", "-o", library, tmp_path / "a.c"]
    subprocess.run(command, check=True)
    assert read_elf(library).natives == set(names)


def test_a_class_as_it_is():
    members = [("a", "I", PUBLIC), ("run", "([J)Z", PUBLIC | NATIVE), ("of", "()V", PUBLIC | STATIC)]
    found = read_class(class_file("x/Y", "x/Z", members[:1], members[1:]), "Y.class")
    assert (found.name, found.parent) == ("x/Y", "x/Z")
    assert found.fields == (Member("a", "I", PUBLIC),)
    assert found.methods == (Member("run", "([J)Z", PUBLIC | NATIVE), Member("of", "()V", PUBLIC | STATIC))


def test_classes_that_are_damaged():
    whole = class_file("x/Y", methods=[("run", "()V", NATIVE)])
    for end in range(len(whole)):
        with pytest.raises(PpedgeError, match="^Y: damaged, or no class file: "):
            read_class(whole[:end], "Y")
    for at in range(len(whole)):
        for value in (0, 255):
            try:
                read_class(whole[:at] + bytes([value]) + whole[at + 1 :], "Y")
            except PpedgeError as error:
                assert "\n" not in str(error)
    with pytest.raises(PpedgeError, match="constant 1 is of the unknown kind 2"):
        read_class(struct.pack(">IHHHB", 0xCAFEBABE, 0, 52, 2, 2), "Y")


def test_names_of_functions():
    methods = [
        ("shape", "()[J", NATIVE),
        ("set_it", "([FLa/B;)Z", NATIVE),
        ("set_it", "(J)Z", NATIVE),
        ("up", "()V", 0),
    ]
    found = read_class(class_file("p_q/A$Bé", methods=methods), "x")
    names = {(method.name, method.descriptor): names for method, names in jni.native_names(found)}
    owner = "Java_p_1q_A_00024B_000e9"
    assert names == {
        ("shape", "()[J"): [f"{owner}_shape", f"{owner}_shape__"],
        ("set_it", "([FLa/B;)Z"): [f"{owner}_set_1it___3FLa_B_2"],
        ("set_it", "(J)Z"): [f"{owner}_set_1it__J"],
    }


@pytest.mark.parametrize("name", NATIVES)
def test_a_mix_of_two_releases_is_refused_by_name(tmp_path, app, name):  # noqa: F811
    library = elf(natives=[other for other in NATIVES if other != name])
    release = make_release(tmp_path / "r", library)
    with pytest.raises(PpedgeError, match=rf"lacks {name}, which PaddlePredictor\.jar calls .*different releases"):
        android.find_release(release)
    assert ppedge("bundle", "--into", app, "--lite-android", release) == 2
    assert list(app.rglob("*")) == [app / "app"]


def test_how_many_are_missing_is_said(tmp_path):
    with pytest.raises(PpedgeError, match=rf"lacks Java_\w+ and {len(NATIVES) - 1} more, which"):
        android.find_release(make_release(tmp_path / "r", elf(natives=[])))


def test_an_overload_needs_the_name_with_its_types(tmp_path):
    short = SET_LONGS.partition("___")[0]
    library = elf(natives=[name for name in NATIVES if name != SET_LONGS] + [short])
    with pytest.raises(PpedgeError, match=f"lacks {SET_LONGS}"):
        android.find_release(make_release(tmp_path / "r", library))


def test_the_name_that_releases_before_2_14_give_an_overload(tmp_path):
    library = elf(natives=[name.replace("___3J", "___3L") for name in NATIVES])
    assert android.find_release(make_release(tmp_path / "r", library)).libraries
    library = elf(natives=[name.replace("___3F", "___3L") for name in NATIVES])
    with pytest.raises(PpedgeError, match="lacks Java_com_baidu_paddle_lite_Tensor_nativeSetData___3F"):
        android.find_release(make_release(tmp_path / "s", library))


@pytest.mark.parametrize("member", sorted(jni.USED))
def test_a_jar_without_something_that_the_app_uses(tmp_path, member):
    owner, name, descriptor = member
    files = classes(without=[member])
    with pytest.raises(PpedgeError, match=rf"has no public {owner.replace('/', '.')}\.{name} ") as error:
        android.find_release(make_release(tmp_path / "r", files=files))
    assert descriptor in str(error.value)


def test_what_is_not_public_does_not_count(tmp_path):
    files = classes()
    files[f"{LITE}/Tensor.class"] = class_file(f"{LITE}/Tensor", methods=[("shape", "()[J", NATIVE)])
    with pytest.raises(PpedgeError, match=r"Tensor\.getFloatData \(\)\[F and 3 more, which the app uses"):
        android.find_release(make_release(tmp_path / "r", files=files))


def test_classes_that_extend_each_other_end(tmp_path):
    files = classes()
    files[f"{LITE}/ConfigBase.class"] = class_file(f"{LITE}/ConfigBase", f"{LITE}/MobileConfig")
    with pytest.raises(PpedgeError, match="has no public com.baidu.paddle.lite.MobileConfig.setModelFromFile"):
        android.find_release(make_release(tmp_path / "r", files=files))


def test_jars_that_cannot_be_read(tmp_path):
    files = classes() | {f"{LITE}/Other.class": b"\xca\xfe\xba\xbe"}
    with pytest.raises(PpedgeError, match=r"PaddlePredictor\.jar: com/.*Other\.class: damaged, or no class file"):
        android.find_release(make_release(tmp_path / "r", files=files))
    files = classes() | {f"{LITE}/Large.class": bytes(2 << 20)}
    with pytest.raises(PpedgeError, match=r"Large\.class has 2,097,152 bytes"):
        android.find_release(make_release(tmp_path / "s", files=files))
    release = make_release(tmp_path / "u", files=classes() | {"x" * 60000: b""})
    jar = release / "java/jar/PaddlePredictor.jar"
    jar.write_bytes(
        jar.read_bytes().replace(b"x" * 10, b"y" * 10, 1)
    )  # its name there is not its name in the directory
    android.find_release(release)  # nobody looks at what is no class
    jar.write_bytes(jar.read_bytes().replace(b"Tensor.class", b"Xensor.class", 1))
    with pytest.raises(PpedgeError, match="not a jar that can be read: File name in directory") as error:
        android.find_release(release)
    assert len(str(error.value)) < 500
    release = make_release(tmp_path / "t")
    jar = release / "java/jar/PaddlePredictor.jar"
    whole = jar.read_bytes()
    jar.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PpedgeError, match="not a jar that can be read"):
        android.find_release(release)
