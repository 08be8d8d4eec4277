/* Depthwise convolution, forward and backward, on one thread; called from depthwise.py.
 *
 * All three passes read a plane (one channel of one sample) from a padded copy in which the columns are sorted by their
 * remainder modulo the stride: then neighbouring outputs read neighbouring inputs, whatever the stride, and a block of
 * LANES outputs stays in registers for all taps of the kernel.
 */
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define MAX_KERNEL 5

typedef float block __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

typedef struct {
    int samples, channels, height, width; /* of the input */
    int kernel, stride_y, stride_x, padding;
    int out_height, out_width;
} shape;

/* A padded plane: element (y, x) lies at data[y * row + (x % step) * part + x / step]. */
typedef struct {
    float *data;
    int rows, row, part, step;
} plane;

static int blocks(int width) { return (width + LANES - 1) / LANES; }

/* Room for `columns` outputs a row, rounded up to whole blocks, and the taps beyond them. */
static plane make_plane(int rows, int columns, int step) {
    plane p = {NULL, rows, 0, 0, step};
    p.part = blocks(columns) * LANES + MAX_KERNEL;
    p.row = p.part * step;
    p.data = calloc((size_t)rows * p.row, sizeof(float));
    return p;
}

/* Copy height x width values to (top, left) of the plane, `gap_y` and `gap_x` apart. */
static void fill(plane p, const float *from, int height, int width, int top, int left, int gap_y, int gap_x) {
    for (int y = 0; y < height; y++) {
        float *row = p.data + (size_t)(top + y * gap_y) * p.row;
        const float *source = from + (size_t)y * width;
        if (p.step == 1 && gap_x == 1) {
            memcpy(row + left, source, width * sizeof(float));
        } else {
            for (int x = 0; x < width; x++) {
                int column = left + x * gap_x;
                row[column % p.step * p.part + column / p.step] = source[x];
            }
        }
    }
}

static void store(float *to, block values, int count) {
    if (count >= LANES)
        *(block *)to = values;
    else
        memcpy(to, &values, count * sizeof(float));
}

/* Correlate a plane with kernel x kernel weights. `kernel` is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) void correlate_k(
    plane p, const float *weights, float *out, int height, int width, int stride_y, const int kernel) {
    int offset[MAX_KERNEL];
    for (int kx = 0; kx < kernel; kx++) offset[kx] = kx % p.step * p.part + kx / p.step;
    for (int y = 0; y < height; y++) {
        const float *top = p.data + (size_t)y * stride_y * p.row;
        for (int x = 0; x < width; x += LANES) {
            block sum = {0};
            for (int ky = 0; ky < kernel; ky++)
                for (int kx = 0; kx < kernel; kx++)
                    sum += weights[ky * kernel + kx] * *(const block *)(top + ky * p.row + offset[kx] + x);
            store(out + (size_t)y * width + x, sum, width - x);
        }
    }
}

static void correlate(plane p, const float *weights, float *out, int height, int width, int stride_y, int kernel) {
    if (kernel == 3)
        correlate_k(p, weights, out, height, width, stride_y, 3);
    else
        correlate_k(p, weights, out, height, width, stride_y, 5);
}

/* Add to sums, one block a tap, what each tap's input and the output's gradient have in common. */
static inline __attribute__((always_inline)) void gather_k(
    plane p, plane gradient, block *sums, int height, int width, int stride_y, const int kernel) {
    int offset[MAX_KERNEL];
    block sum[MAX_KERNEL * MAX_KERNEL];
    for (int kx = 0; kx < kernel; kx++) offset[kx] = kx % p.step * p.part + kx / p.step;
    memcpy(sum, sums, kernel * kernel * sizeof(block));
    for (int y = 0; y < height; y++) {
        const float *top = p.data + (size_t)y * stride_y * p.row;
        for (int x = 0; x < width; x += LANES) {
            block g = *(const block *)(gradient.data + (size_t)y * gradient.row + x);
            for (int ky = 0; ky < kernel; ky++)
                for (int kx = 0; kx < kernel; kx++)
                    sum[ky * kernel + kx] += g * *(const block *)(top + ky * p.row + offset[kx] + x);
        }
    }
    memcpy(sums, sum, kernel * kernel * sizeof(block));
}

static void gather(plane p, plane gradient, block *sums, int height, int width, int stride_y, int kernel) {
    if (kernel == 3)
        gather_k(p, gradient, sums, height, width, stride_y, 3);
    else
        gather_k(p, gradient, sums, height, width, stride_y, 5);
}

static plane input_plane(const shape *s) {
    return make_plane(s->height + 2 * s->padding + MAX_KERNEL, s->out_width, s->stride_x);
}

/* Input (samples, channels, height, width) and weights (channels, kernel, kernel) to output (samples, channels,
 * out_height, out_width). Each returns 0, or 1 if memory ran out. */
int depthwise_forward(const shape *s, const float *input, const float *weights, float *output) {
    plane p = input_plane(s);
    if (!p.data) return 1;
    for (int i = 0; i < s->samples * s->channels; i++) {
        fill(p, input + (size_t)i * s->height * s->width, s->height, s->width, s->padding, s->padding, 1, 1);
        correlate(p, weights + (i % s->channels) * s->kernel * s->kernel,
                  output + (size_t)i * s->out_height * s->out_width, s->out_height, s->out_width, s->stride_y,
                  s->kernel);
    }
    free(p.data);
    return 0;
}

/* The input's gradient: the output's, spread by the strides, correlated with the kernel turned round. */
int depthwise_input_gradient(const shape *s, const float *gradient, const float *weights, float *result) {
    int taps = s->kernel * s->kernel, margin = s->kernel - 1 - s->padding;
    int spread_height = (s->out_height - 1) * s->stride_y + 1 + margin;
    plane p = make_plane((spread_height > s->height ? spread_height : s->height) + MAX_KERNEL,
                         s->width + s->stride_x + MAX_KERNEL, 1);
    float turned[MAX_KERNEL * MAX_KERNEL];
    if (!p.data) return 1;
    for (int i = 0; i < s->samples * s->channels; i++) {
        for (int t = 0; t < taps; t++) turned[t] = weights[(i % s->channels) * taps + taps - 1 - t];
        fill(p, gradient + (size_t)i * s->out_height * s->out_width, s->out_height, s->out_width, margin, margin,
             s->stride_y, s->stride_x);
        correlate(p, turned, result + (size_t)i * s->height * s->width, s->height, s->width, 1, s->kernel);
    }
    free(p.data);
    return 0;
}

/* The weights' gradient; samples are added in their order, so that the result does not vary. */
int depthwise_weight_gradient(const shape *s, const float *input, const float *gradient, float *result) {
    int taps = s->kernel * s->kernel;
    plane p = input_plane(s), g = make_plane(s->out_height, s->out_width, 1);
    int failed = !p.data || !g.data;
    for (int c = 0; c < s->channels && !failed; c++) {
        block sums[MAX_KERNEL * MAX_KERNEL] = {{0}};
        for (int n = 0; n < s->samples; n++) {
            size_t i = (size_t)n * s->channels + c;
            fill(p, input + i * s->height * s->width, s->height, s->width, s->padding, s->padding, 1, 1);
            fill(g, gradient + i * s->out_height * s->out_width, s->out_height, s->out_width, 0, 0, 1, 1);
            gather(p, g, sums, s->out_height, s->out_width, s->stride_y, s->kernel);
        }
        for (int t = 0; t < taps; t++) {
            double sum = 0;
            for (int lane = 0; lane < LANES; lane++) sum += sums[t][lane];
            result[c * taps + t] = (float)sum;
        }
    }
    free(p.data);
    free(g.data);
    return failed;
}
