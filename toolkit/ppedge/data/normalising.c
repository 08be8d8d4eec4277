/* Pixels to the planes of a network's input, the same numbers as ocr/preprocess.py gives: float, nothing contracted. */

#include <stddef.h>
#include <stdint.h>

enum { CHANNELS = 3, PIXELS = 64 }; /* so many at once, that compilers take several of them in one instruction */

/* planes[c][y][x] = picture[y][x][c] * scale[c] - shift[c].
 * picture: (height, width, 3). plane and row: from one plane, and from one row, of planes to the next, in floats. */
void normalise(const uint8_t *picture, size_t height, size_t width, const float *scale, const float *shift,
               float *planes, size_t plane, size_t row)
{
    uint8_t levels[CHANNELS][PIXELS];
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x += PIXELS) {
            const uint8_t *from = picture + CHANNELS * (width * y + x);
            const size_t count = width - x < PIXELS ? width - x : PIXELS;
            for (size_t k = 0; k < count; k++) {
                levels[0][k] = from[CHANNELS * k];
                levels[1][k] = from[CHANNELS * k + 1];
                levels[2][k] = from[CHANNELS * k + 2];
            }
            for (size_t c = 0; c < CHANNELS; c++) {
                float *to = planes + plane * c + row * y + x;
                const float by = scale[c], less = shift[c];
                for (size_t k = 0; k < count; k++)
                    to[k] = levels[c][k] * by - less;
            }
        }
    }
}
