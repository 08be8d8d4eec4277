/* Rounding to 8 bits as in training, clip and gradients included, on one thread; called from fake_quant.py.
 *
 * Each function passes once over its arrays: what is saved against operators of a framework is memory traffic.
 * To be compiled with -ffp-contract=off: a fused multiply-add would round other values up than Paddle's operators do.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LEVELS 127
#define LANES 16
#define CHUNK (256 * LANES) /* values added up in float before their sum goes into a double */

/* may_alias: a mask looks at the bits of floats. */
typedef float block __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4), may_alias));

/* Without their sign, floats are in the order of their bits. A NaN is the largest, so that it does not get lost. */
static float largest_magnitude(const float *x, size_t count) {
    uint32_t largest = 0;
    float result;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    memcpy(&result, &largest, sizeof result);
    return result;
}

/* Weighted average of what was seen, the newest counting most. */
static void track(float seen, float rate, float *scale, float *state, float *accum) {
    *state = rate * *state + 1;
    *accum = rate * *accum + seen;
    *scale = *accum / *state;
}

static float inverse(float scale) { return scale <= 1e-6f ? 1 / (scale + 1e-6f) : 1 / scale; }

/* To the nearest of -LEVELS..LEVELS, of two equally near ones to the one away from 0. */
static inline float nearest(float value) { return truncf(value + copysignf(0.49999997f, value)); }

static void round_values(const float *x, float *y, size_t count, float bound, float scale) {
    float levels = LEVELS * inverse(scale);
    for (size_t i = 0; i < count; i++) {
        float value = x[i] > bound ? bound : x[i];
        value = value < -bound ? -bound : value;
        y[i] = nearest(value * levels) * scale / LEVELS;
    }
}

/* Let a moving average see the largest magnitude of x. */
void observe(const float *x, size_t count, float rate, float *scale, float *state, float *accum) {
    track(largest_magnitude(x, count), rate, scale, state, accum);
}

/* y is x clipped to [-clip, clip] and rounded to levels of scale. With `training`, scale, state and accum see x first. */
void quantize(const float *x, float *y, size_t count, float clip, int training, float rate, float *scale, float *state,
              float *accum) {
    if (training) {
        float seen = largest_magnitude(x, count);
        track(seen > clip ? clip : seen, rate, scale, state, accum);
    }
    round_values(x, y, count, clip < *scale ? clip : *scale, *scale);
}

/* Straight through the rounding: y's gradient goes to x inside the clip, to the clip outside. In place it becomes x's;
 * the clip's is returned. */
double clip_gradient(const float *x, float *gradient, size_t count, float clip) {
    double total = 0;
    size_t whole = count - count % LANES;
    for (size_t begin = 0; begin < whole; begin += CHUNK) {
        size_t end = whole - begin < CHUNK ? whole : begin + CHUNK;
        block sum = {0};
        for (size_t i = begin; i < end; i += LANES) {
            block value = *(const block *)(x + i);
            mask bits = *(const mask *)(gradient + i), above = value > clip, below = value < -clip;
            *(mask *)(gradient + i) = bits & ~(above | below);
            sum += (block)(bits & above) - (block)(bits & below);
        }
        for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    }
    for (size_t i = whole; i < count; i++) {
        int outside = (x[i] > clip) - (x[i] < -clip);
        if (outside) {
            total += outside * gradient[i];
            gradient[i] = 0;
        }
    }
    return total;
}

/* A weight (outer, channels, inner) rounded, each channel to levels of its largest magnitude, which goes to scales. */
void quantize_channels(const float *weight, float *rounded, float *scales, size_t outer, size_t channels, size_t inner) {
    for (size_t c = 0; c < channels; c++) {
        float scale = 0;
        for (size_t o = 0; o < outer; o++) {
            float seen = largest_magnitude(weight + (o * channels + c) * inner, inner);
            scale = seen > scale || seen != seen ? seen : scale;
        }
        scales[c] = scale;
        for (size_t o = 0; o < outer; o++) {
            size_t at = (o * channels + c) * inner;
            round_values(weight + at, rounded + at, inner, scale, scale);
        }
    }
}
