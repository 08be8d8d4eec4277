"""The counting plugin against programs whose instructions are known, and what a guest's death is called."""

import os
import tempfile

import pytest

from ppedge.arm import qemu
from ppedge.arm.cores import CORES
from ppedge.errors import MissingError, PpedgeError

# mov x8, #93; mov x0, #0; svc #0: exit(0)
EXIT = [0xD2800BA8, 0xD2800000, 0xD4000001]
# sub x3, sp, #256; mov x9, #0: x3 points to memory of ours, x9 is an offset and no branch's condition
SET_UP = [0xD10403E3, 0xD2800009]


def mark(k):
    """mov x0, #0x4e4e; movk x0, #0x4e4e, lsl #16; mov x1, #k; mov x8, #167; svc #0: prctl(0x4e4e4e4e, k)"""
    return [0xD289C9C0, 0xF2A9C9C0, 0xD2800001 | k << 5, 0xD28014E8, 0xD4000001]


# What a mark itself costs: four integer instructions and the call.
MARK_COST = {"integer": 4, "branch": 1}

# Assembled by GNU as, `.arch armv8.6-a+fp16+fp16fml+crypto+i8mm+bf16`.
INSTRUCTIONS = [
    ("load", "ldr x4, [x3]", 0xF9400064),
    ("load", "ldrb w4, [x3, #1]", 0x39400464),
    ("load", "ldr q4, [x3]", 0x3DC00064),
    ("load", "ldp q4, q5, [x3]", 0xAD401464),
    ("load", "ld1 {v4.4s, v5.4s}, [x3]", 0x4C40A864),
    ("load", "ld1r {v4.4s}, [x3]", 0x4D40C864),
    ("load", "ldrsw x4, [x3, x9]", 0xB8A96864),
    ("load", "ldr x4, .", 0x58000004),
    ("load", "ldxr x4, [x3]", 0xC85F7C64),
    ("load", "ldaddal x4, x5, [x3]", 0xF8E40065),
    ("load", "cas x4, x5, [x3]", 0xC8A47C65),
    ("load", "casp x4, x5, x6, x7, [x3]", 0x48247C66),
    ("load", "swp x4, x5, [x3]", 0xF8248065),
    ("load", "ldapur w4, [x3]", 0x99400064),
    ("load", "prfm pldl1keep, [x3]", 0xF9800060),
    ("load", "ldr s4, [x3], #0", 0xBC400464),
    ("store", "str x4, [x3]", 0xF9000064),
    ("store", "strh w4, [x3, #2]", 0x79000464),
    ("store", "str q4, [x3, #16]", 0x3D800464),
    ("store", "stp x4, x5, [x3]", 0xA9001464),
    ("store", "st1 {v4.4s}, [x3]", 0x4C007864),
    ("store", "st4 {v4.4s, v5.4s, v6.4s, v7.4s}, [x3]", 0x4C000864),
    ("store", "stxr w4, x5, [x3]", 0xC8047C65),
    ("store", "stlr x4, [x3]", 0xC89FFC64),
    ("store", "stlur w4, [x3]", 0x99000064),
    ("store", "str d4, [x3, x9]", 0xFC296864),
    ("fma", "fmla v4.4s, v5.4s, v6.4s", 0x4E26CCA4),
    ("fma", "fmls v4.4s, v5.4s, v6.4s", 0x4EA6CCA4),
    ("fma", "fmla v4.4s, v5.4s, v6.s[1]", 0x4FA610A4),
    ("fma", "fmls v4.2d, v5.2d, v6.d[1]", 0x4FC658A4),
    ("fma", "fmla s4, s5, v6.s[0]", 0x5F8610A4),
    ("fma", "fmla v4.8h, v5.8h, v6.8h", 0x4E460CA4),
    ("fma", "fmla v4.8h, v5.8h, v6.h[3]", 0x4F3610A4),
    ("fma", "fmlal v4.4s, v5.4h, v6.4h", 0x4E26ECA4),
    ("fma", "fmlal2 v4.4s, v5.4h, v6.h[2]", 0x6FA680A4),
    ("fma", "fmadd s4, s5, s6, s7", 0x1F061CA4),
    ("fma", "fnmsub d4, d5, d6, d7", 0x1F669CA4),
    ("fma", "mla v4.8h, v5.8h, v6.8h", 0x4E6694A4),
    ("fma", "mls v4.4s, v5.4s, v6.s[1]", 0x6FA640A4),
    ("fma", "smlal v4.4s, v5.4h, v6.4h", 0x0E6680A4),
    ("fma", "umlsl2 v4.4s, v5.8h, v6.8h", 0x6E66A0A4),
    ("fma", "smlal v4.4s, v5.4h, v6.h[1]", 0x0F5620A4),
    ("fma", "sqdmlal v4.4s, v5.4h, v6.4h", 0x0E6690A4),
    ("fma", "sqrdmlah v4.4s, v5.4s, v6.4s", 0x6E8684A4),
    ("fma", "sqrdmlah v4.4s, v5.4s, v6.s[0]", 0x6F86D0A4),
    ("fma", "fcmla v4.4s, v5.4s, v6.4s, #90", 0x6E86CCA4),
    ("dot", "sdot v4.4s, v5.16b, v6.16b", 0x4E8694A4),
    ("dot", "udot v4.4s, v5.16b, v6.16b", 0x6E8694A4),
    ("dot", "sdot v4.4s, v5.16b, v6.4b[1]", 0x4FA6E0A4),
    ("dot", "udot v4.4s, v5.16b, v6.4b[3]", 0x6FA6E8A4),
    ("dot", "usdot v4.4s, v5.16b, v6.16b", 0x4E869CA4),
    ("dot", "sudot v4.4s, v5.16b, v6.4b[0]", 0x4F06F0A4),
    ("dot", "smmla v4.4s, v5.16b, v6.16b", 0x4E86A4A4),
    ("dot", "bfdot v4.4s, v5.8h, v6.8h", 0x6E46FCA4),
    ("dot", "bfmmla v4.4s, v5.8h, v6.8h", 0x6E46ECA4),
    ("simd", "fadd v4.4s, v5.4s, v6.4s", 0x4E26D4A4),
    ("simd", "fmul v4.4s, v5.4s, v6.s[2]", 0x4F8698A4),
    ("simd", "fmulx v4.4s, v5.4s, v6.s[2]", 0x6F8698A4),
    ("simd", "mul v4.8h, v5.8h, v6.h[1]", 0x4F5680A4),
    ("simd", "smull v4.4s, v5.4h, v6.4h", 0x0E66C0A4),
    ("simd", "smull v4.4s, v5.4h, v6.h[1]", 0x0F56A0A4),
    ("simd", "sqdmulh v4.8h, v5.8h, v6.h[0]", 0x4F46C0A4),
    ("simd", "sadalp v4.4s, v5.8h", 0x4E6068A4),
    ("simd", "fmax v4.8h, v5.8h, v6.8h", 0x4E4634A4),
    ("simd", "faddp v4.4s, v5.4s, v6.4s", 0x6E26D4A4),
    ("simd", "facge v4.4s, v5.4s, v6.4s", 0x6E26ECA4),
    ("simd", "fcadd v4.4s, v5.4s, v6.4s, #90", 0x6E86E4A4),
    ("simd", "movi v4.4s, #3", 0x4F000464),
    ("simd", "sshr v4.4s, v5.4s, #3", 0x4F3D04A4),
    ("simd", "dup v4.4s, w5", 0x4E040CA4),
    ("simd", "fcvt s4, d5", 0x1E6240A4),
    ("simd", "umov w4, v5.s[1]", 0x0E0C3CA4),
    ("simd", "tbl v4.16b, {v5.16b}, v6.16b", 0x4E0600A4),
    ("simd", "aese v4.16b, v5.16b", 0x4E2848A4),
    ("branch", "b .+4", 0x14000001),
    ("branch", "cbz x9, .+4", 0xB4000029),
    ("branch", "b.eq .+4", 0x54000020),
    ("branch", "tbnz x9, #3, .+4", 0x37180029),
    ("branch", "bl .+4", 0x94000001),
    ("integer", "add x4, x5, x6", 0x8B0600A4),
    ("integer", "madd x4, x5, x6, x7", 0x9B061CA4),
    ("integer", "sub x4, x5, #1", 0xD10004A4),
    ("integer", "mov x4, #7", 0xD28000E4),
    ("integer", "nop", 0xD503201F),
    ("integer", "dmb ish", 0xD5033BBF),
    ("integer", "mrs x4, tpidr_el0", 0xD53BD044),
    ("integer", "csel x4, x5, x6, eq", 0x9A8600A4),
    ("integer", "sdiv x4, x5, x6", 0x9AC60CA4),
    ("integer", "adr x4, .", 0x10000004),
]


def run(sandbox, cpu, program):
    """Run a program to its end; return the plugin's lines as (mark, counts) and the exit code."""
    read, write = os.pipe()
    with tempfile.TemporaryFile() as words:
        process = qemu.start(sandbox, cpu, [program], environment={}, words=words, count_to=write)
        os.close(write)
        with os.fdopen(read) as file:
            lines = [list(map(int, line.split())) for line in file]
        process.stdin.close()
        process.stdout.close()
        code = process.wait(30)
        words.seek(0)
        return (
            [(line[0], dict(zip(qemu.CLASSES, line[1:], strict=True))) for line in lines],
            code,
            words.read().decode(),
        )


def beyond_mark(counts):
    """What was executed beside the mark itself, classes with none left out."""
    own = {name: count - MARK_COST.get(name, 0) for name, count in counts.items() if name != "total"}
    assert sum(own.values()) + 5 == counts["total"]
    return {name: count for name, count in own.items() if count}


def test_every_instruction_is_of_its_class(sandbox, make_program):
    words = [*SET_UP, *mark(1)]
    for number, (_, _, word) in enumerate(INSTRUCTIONS):
        words += [word, *mark(number + 2)]
    lines, code, said = run(sandbox, "max", make_program([*words, *EXIT]))
    assert code == 0, said
    assert [k for k, _ in lines] == list(range(1, len(INSTRUCTIONS) + 2))
    wrong = [
        (text, name, beyond_mark(counts))
        for (name, text, _), (_, counts) in zip(INSTRUCTIONS, lines[1:], strict=True)
        if beyond_mark(counts) != {name: 1}
    ]
    assert not wrong


def test_a_loop_is_counted_exactly(sandbox, make_program):
    body = [
        0x3DC00064,  # ldr q4, [x3]
        0x3D800464,  # str q4, [x3, #16]
        0x4E26CCA4,  # fmla v4.4s, v5.4s, v6.4s
        0x4E26CCA7,  # fmla v7.4s, v5.4s, v6.4s
        0x4E26D4A4,  # fadd v4.4s, v5.4s, v6.4s
        0x71000442,  # subs w2, w2, #1
        0x54FFFF41,  # b.ne to the first
    ]
    loop = [*SET_UP, *mark(1), 0x52807D02, *body, *mark(2), *EXIT]  # mov w2, #1000
    lines, code, said = run(sandbox, "cortex-a53", make_program(loop))
    assert code == 0, said
    assert beyond_mark(lines[1][1]) == {
        "load": 1000, "store": 1000, "fma": 2000, "simd": 1000, "integer": 1001, "branch": 1000,
    }  # fmt: skip


def test_an_illegal_instruction_names_what_the_core_lacks(sandbox, make_program):
    program = make_program([0x4E8694A4, *EXIT])  # sdot v4.4s, v5.16b, v6.16b
    assert run(sandbox, "cortex-a76", program)[1] == 0
    _, code, said = run(sandbox, "cortex-a53", program)
    error = qemu.guest_error("running sdot", "cortex-a53", code, said)
    assert "SIGILL" in error.message and "dot product (asimddp)" in error.message
    assert "cortex-a76" in error.hint


def test_an_unknown_core_names_a_near_one(sandbox):
    qemu.check_cpu(sandbox, "max")
    with pytest.raises(PpedgeError, match="cortex-a76x.*Did you mean cortex-a76"):
        qemu.check_cpu(sandbox, "cortex-a76x")


@pytest.mark.parametrize("cpu", CORES)
def test_a_guest_sees_its_core_and_nothing_of_the_host(sandbox, cpu, monkeypatch):
    monkeypatch.setenv("PPEDGE_LEAK", "1")
    program = (
        "import ctypes, os; print(open('/proc/cpuinfo').read()); print('count', os.sysconf('SC_NPROCESSORS_ONLN'));"
        "print('leak', 'PPEDGE_LEAK' in os.environ);"
        "print('dot', bool(ctypes.CDLL(None).getauxval(16) >> 20 & 1))"  # AT_HWCAP, HWCAP_ASIMDDP
    )
    with tempfile.TemporaryFile() as words:
        process = qemu.start(sandbox, cpu, [*qemu.guest_python(sandbox), "-c", program], environment={}, words=words)
        said = process.communicate(timeout=60)[0].decode()
    assert f"CPU part\t: {CORES[cpu].part:#05x}" in said
    assert "count 1\n" in said and "leak False" in said
    assert f"dot {'asimddp' in CORES[cpu].features}" in said


def test_the_plugin_is_compiled_once():
    first = qemu.plugin()
    stamp = first.stat().st_mtime_ns
    assert qemu.plugin() == first
    assert first.stat().st_mtime_ns == stamp


def test_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingError, match="C compiler cc"):
        qemu.plugin()
