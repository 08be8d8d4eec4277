/* The gradient of hardswish, on one thread; called from hardswish.py. */
#include <stddef.h>

/* `result` is `gradient` times the slope at `x`: 0 up to -3, 1 from 3 on, (2 x + 3) / 6 between. */
void hardswish_gradient(const float *x, const float *gradient, float *result, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* All three are computed and one is chosen: so the compiler makes vectors of it. */
        float slope = (2 * x[i] + 3) / 6;
        /* As Paddle asks, not x < 3: the sum of 3 and the number before 3 is rounded to 6. */
        slope = x[i] + 3 > 0 ? slope : 0;
        slope = x[i] + 3 < 6 ? slope : 1;
        result[i] = gradient[i] * slope;
    }
}
