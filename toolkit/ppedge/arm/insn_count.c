/* A QEMU TCG plugin that counts the arm64 instructions a guest executes, by class.
 *
 *     cc -O2 -shared -fPIC insn_count.c -o insn_count.so
 *     qemu-aarch64 -plugin insn_count.so,fd=N PROGRAM
 *
 * The guest marks a point by prctl(0x4e4e4e4e, K). At each mark one line is written to file descriptor N:
 *
 *     K total load store fma dot simd branch integer
 *
 * The figures count what was executed since the mark before it. The line is written before the guest goes on, so whoever
 * hears from the guest after a mark finds the line there. Each instruction belongs to exactly one class:
 *
 *     load     reads memory (atomic updates and prefetches included)
 *     store    writes memory
 *     fma      multiply-accumulate on SIMD and FP registers, floating point or integer
 *     dot      dot products and matrix multiply-accumulate (SDOT, UDOT, USDOT, SMMLA, BFDOT, ...)
 *     simd     everything else on SIMD and FP registers
 *     branch   branches, calls, returns, system calls
 *     integer  the rest
 *
 * With watch=ADDRESS:CODE, where a function's instructions are CODE (hexadecimal) and ADDRESS, also hexadecimal, is its
 * place in its library (libraries are loaded at a page's begin), each entry into a translated block of that function is
 * a mark of its own: K is then 16 + the block's distance from the function's begin. So calls that a loop makes are told
 * apart without a word from the guest.
 *
 * Encodings follow the Arm Architecture Reference Manual for A-profile, section C4.1. A translated block is decoded once
 * and then only counts how often it runs; a mark multiplies and sums. The counters are not atomic: one guest thread.
 *
 * The few declarations of QEMU's plugin API, version 1 (QEMU 5 to 8), stand here, so that its headers need not be installed.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SYS_PRCTL 167
#define MARK 0x4e4e4e4e
#define FIRST_WATCHED 16
#define PAGE 4096
#define MAX_WATCHED_WORDS (PAGE / 4)

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 = 0 };
enum { NO_REGISTERS = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id,
                                                 void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                          uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = 1;

enum insn_class { TOTAL, LOAD, STORE, FMA, DOT, SIMD, BRANCH, INTEGER, CLASSES };

/* A translated block: how often it ran since the last mark, and its instructions. */
struct block {
    struct block *next;
    uint64_t runs;
    uint32_t insns[CLASSES];
};

static struct block *blocks;
static int output = STDERR_FILENO;

/* The watched function: its place in its library, its instructions, and, once it was seen, where it begins. */
static uint64_t watched_address, watched_begin;
static uint32_t watched_words[MAX_WATCHED_WORDS];
static size_t watched_length;

/* Bits high..low of an instruction word. */
static uint32_t bits(uint32_t word, int high, int low)
{
    return (word >> low) & ((UINT32_C(2) << (high - low)) - 1);
}

static enum insn_class load_or_store(uint32_t word)
{
    uint32_t opc = bits(word, 23, 22);
    int load_bit = bits(word, 22, 22);
    int vector = bits(word, 26, 26);

    switch (bits(word, 29, 28)) {
    case 0: /* SIMD structures; exclusive and ordered accesses; compare and swap, which reads */
        if (!vector && bits(word, 21, 21) && (bits(word, 23, 23) || !bits(word, 31, 31)))
            return LOAD;
        return load_bit ? LOAD : STORE;
    case 1:
        if (!bits(word, 24, 24)) /* PC-relative literals */
            return LOAD;
        if (bits(word, 21, 21)) /* memory tags: LDG is the only one that reads */
            return opc == 1 && bits(word, 11, 10) == 0 ? LOAD : STORE;
        return opc == 0 ? STORE : LOAD; /* STLUR, LDAPUR */
    case 2: /* pairs */
        return load_bit ? LOAD : STORE;
    default: /* one register; an atomic update reads whatever its opc says */
        if (vector)
            return load_bit ? LOAD : STORE;
        if (!bits(word, 24, 24) && bits(word, 21, 21) && bits(word, 11, 10) != 2)
            return LOAD;
        return opc == 0 ? STORE : LOAD;
    }
}

/* SIMD instructions with one operand taken from a lane: bits 28..24 = x1111, bit 10 = 0. */
static enum insn_class by_element(uint32_t word)
{
    uint32_t opcode = bits(word, 15, 12);
    int u = bits(word, 29, 29);

    if (opcode == 14 || (opcode == 15 && !u))
        return DOT;
    if (opcode < 8) /* FMLA, FMLS, FMLAL, MLA, MLS, SMLAL, SQDMLAL, FCMLA */
        return FMA;
    return u && (opcode == 8 || opcode == 12 || opcode == 13 || opcode == 15) ? FMA : SIMD; /* FMLAL2, SQRDMLAH */
}

/* SIMD instructions on whole vectors: bits 28..24 = 01110. */
static enum insn_class whole_vector(uint32_t word)
{
    int u = bits(word, 29, 29);

    if (bits(word, 21, 21) && bits(word, 10, 10)) { /* three operands of one type */
        uint32_t opcode = bits(word, 15, 11);
        return opcode == 18 || opcode == 25 || (opcode == 29 && !u) ? FMA : SIMD; /* MLA; FMLA, FMLAL2; FMLAL */
    }
    if (bits(word, 21, 21) && bits(word, 11, 10) == 0) { /* three operands, the result wider: SMLAL, SQDMLAL */
        uint32_t opcode = bits(word, 15, 12);
        return opcode == 8 || opcode == 10 || (!u && (opcode == 9 || opcode == 11)) ? FMA : SIMD;
    }
    if (bits(word, 22, 21) == 2 && bits(word, 15, 10) == 3 && !u) /* FMLA, FMLS on half precision */
        return FMA;
    if (!bits(word, 21, 21) && bits(word, 15, 15) && bits(word, 10, 10)) { /* the later additions */
        uint32_t opcode = bits(word, 14, 11);
        if ((opcode >= 2 && opcode <= 5) || (u && (opcode == 13 || opcode == 15)))
            return DOT;
        return u && (opcode <= 1 || (opcode >= 8 && opcode <= 11)) ? FMA : SIMD; /* SQRDMLAH, FCMLA */
    }
    return SIMD;
}

static enum insn_class simd_or_fp(uint32_t word)
{
    if (bits(word, 31, 24) == 0x1f) /* FMADD and its three siblings */
        return FMA;
    if (!bits(word, 31, 31) && bits(word, 28, 24) == 0x0e)
        return whole_vector(word);
    if (!bits(word, 31, 31) && bits(word, 27, 24) == 0x0f && !bits(word, 10, 10))
        return by_element(word);
    return SIMD;
}

static enum insn_class classify(uint32_t word)
{
    uint32_t group = bits(word, 28, 25);

    if ((group & 5) == 4)
        return load_or_store(word);
    if ((group & 7) == 7)
        return simd_or_fp(word);
    if ((group & 14) == 10) /* MSR, MRS, barriers and hints share the group of branches */
        return bits(word, 31, 22) == 0x354 ? INTEGER : BRANCH;
    return group == 2 ? SIMD : INTEGER; /* 2: SVE */
}

/* Add up what was executed since the last mark, and write a line of it. */
static void report(uint64_t mark)
{
    uint64_t counts[CLASSES] = {0};
    char line[CLASSES * 21 + 32];
    int length;

    for (struct block *block = blocks; block != NULL; block = block->next) {
        if (block->runs == 0)
            continue;
        for (int k = 0; k < CLASSES; k++)
            counts[k] += block->runs * block->insns[k];
        block->runs = 0;
    }
    length = snprintf(line, sizeof line, "%" PRIu64, mark);
    for (int k = 0; k < CLASSES; k++)
        length += snprintf(line + length, sizeof line - length, " %" PRIu64, counts[k]);
    line[length++] = '\n';
    if (write(output, line, length) != length) {
        perror("insn_count: write");
        _exit(1);
    }
}

static void on_watched(unsigned cpu, void *mark)
{
    (void)cpu;
    report((uintptr_t)mark);
}

/* Where in the watched function a block lies, in words; -1 if it lies elsewhere. */
static ptrdiff_t place_in_watched(const struct qemu_plugin_tb *translated)
{
    uint64_t address = qemu_plugin_tb_vaddr(translated);
    size_t length = qemu_plugin_tb_n_insns(translated), place;

    if (watched_length == 0)
        return -1;
    if (watched_begin == 0 && (address - watched_address) % PAGE != 0)
        return -1;
    place = watched_begin == 0 ? 0 : (address - watched_begin) / sizeof(uint32_t);
    if (place >= watched_length || length > watched_length - place)
        return -1;
    for (size_t i = 0; i < length; i++)
        if (memcmp(qemu_plugin_insn_data(qemu_plugin_tb_get_insn(translated, i)), &watched_words[place + i],
                   sizeof(uint32_t)) != 0)
            return -1;
    if (watched_begin == 0)
        watched_begin = address;
    return place;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *translated)
{
    size_t length = qemu_plugin_tb_n_insns(translated);
    struct block *block = calloc(1, sizeof *block);
    ptrdiff_t place;

    (void)id;
    if (block == NULL) {
        perror("insn_count");
        _exit(1);
    }
    for (size_t i = 0; i < length; i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(translated, i)), sizeof word);
        block->insns[classify(word)]++;
    }
    block->insns[TOTAL] = length;
    block->next = blocks;
    blocks = block;
    place = place_in_watched(translated);
    if (place >= 0)
        qemu_plugin_register_vcpu_tb_exec_cb(translated, on_watched, NO_REGISTERS,
                                             (void *)(uintptr_t)(FIRST_WATCHED + place * sizeof(uint32_t)));
    qemu_plugin_register_vcpu_tb_exec_inline(translated, INLINE_ADD_U64, &block->runs, 1);
}

static void on_syscall(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                       uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == SYS_PRCTL && a1 == MARK)
        report(a2);
}

/* Take ADDRESS:CODE apart. */
static void watch(const char *text)
{
    char *code;

    watched_address = strtoull(text, &code, 16);
    for (code += *code == ':'; watched_length < MAX_WATCHED_WORDS && strlen(code) >= 8; code += 8) {
        uint32_t word = 0;
        for (int k = 3; k >= 0; k--) { /* bytes stand in the order of memory */
            char digits[3] = {code[2 * k], code[2 * k + 1], 0};
            word = word << 8 | (uint32_t)strtoul(digits, NULL, 16);
        }
        watched_words[watched_length++] = word;
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "fd=", 3) == 0)
            output = atoi(argv[i] + 3);
        else if (strncmp(argv[i], "watch=", 6) == 0)
            watch(argv[i] + 6);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
