package dev.ppedge.core;

/**
 * Bilinear scaling of 8-bit pictures, equal to the bit to OpenCV's {@code resize} with {@code INTER_LINEAR}.
 *
 * <p>OpenCV interpolates in whole numbers: weights have 11 bits; rows are interpolated first, and of their sums, which
 * have 19 bits, the lowest 4 are dropped before columns are. Halving both sides exactly takes the mean of 2 x 2 pixels.
 */
final class Resize {
    private static final int ONE = 1 << 11;

    private Resize() {}

    /** Where the pixels of a scaled side come from: for each, a first source pixel and the weight of the next one. */
    private static final class Axis {
        final int[] from;
        final int[] first;
        final int[] second;

        Axis(int source, int target, boolean clamp) {
            from = new int[target];
            first = new int[target];
            second = new int[target];
            double scale = 1.0 / ((double) target / source);
            for (int i = 0; i < target; i++) {
                float at = (float) ((i + 0.5) * scale - 0.5);
                int floor = (int) Math.floor(at);
                float fraction = at - floor;
                if (clamp && (floor < 0 || floor >= source - 1)) {
                    floor = floor < 0 ? 0 : source - 1;
                    fraction = 0;
                }
                from[i] = floor;
                // A product with a power of two is exact, so rounding it as a double is the same.
                first[i] = (int) Math.rint((1f - fraction) * ONE);
                second[i] = (int) Math.rint(fraction * ONE);
            }
        }
    }

    /** Returns the picture at another size. */
    static Image linear(Image image, int width, int height) throws BundleException {
        if (width == image.width && height == image.height) {
            return image;
        }
        byte[] out = new byte[Tensor.count(new int[] {height, width, 3})];
        if (image.width == 2 * width && image.height == 2 * height) {
            halve(image, out, width, height);
        } else {
            interpolate(image, out, width, height);
        }
        return new Image(width, height, out);
    }

    private static void halve(Image image, byte[] out, int width, int height) {
        byte[] in = image.bgr;
        int stride = image.width * 3;
        for (int y = 0, o = 0; y < height; y++) {
            int row = 2 * y * stride;
            for (int x = 0; x < width; x++, row += 6) {
                for (int c = row; c < row + 3; c++) {
                    int sum = (in[c] & 255) + (in[c + 3] & 255) + (in[c + stride] & 255) + (in[c + stride + 3] & 255);
                    out[o++] = (byte) (sum + 2 >> 2);
                }
            }
        }
    }

    private static void interpolate(Image image, byte[] out, int width, int height) {
        Axis columns = new Axis(image.width, width, true);
        Axis rows = new Axis(image.height, height, false);
        int[] upper = new int[width * 3];
        int[] lower = new int[width * 3];
        int upperRow = -1;
        int lowerRow = -1;
        for (int y = 0, o = 0; y < height; y++) {
            int top = clip(rows.from[y], image.height);
            int bottom = clip(rows.from[y] + 1, image.height);
            if (top == lowerRow) { // the row that was below is now above
                int[] swap = upper;
                upper = lower;
                lower = swap;
                lowerRow = upperRow;
                upperRow = top;
            }
            if (top != upperRow) {
                horizontal(image, top, columns, upper);
                upperRow = top;
            }
            if (bottom != lowerRow) {
                horizontal(image, bottom, columns, lower);
                lowerRow = bottom;
            }
            int b0 = rows.first[y];
            int b1 = rows.second[y];
            for (int i = 0; i < upper.length; i++) {
                int sum = (b0 * (upper[i] >> 4) >> 16) + (b1 * (lower[i] >> 4) >> 16);
                out[o++] = (byte) (sum + 2 >> 2);
            }
        }
    }

    private static void horizontal(Image image, int y, Axis columns, int[] out) {
        byte[] in = image.bgr;
        int row = y * image.width * 3;
        int last = image.width - 1;
        for (int x = 0, o = 0; x < columns.from.length; x++) {
            int left = row + columns.from[x] * 3;
            int right = columns.from[x] < last ? left + 3 : left;
            int a0 = columns.first[x];
            int a1 = columns.second[x];
            for (int c = 0; c < 3; c++) {
                out[o++] = (in[left + c] & 255) * a0 + (in[right + c] & 255) * a1;
            }
        }
    }

    private static int clip(int value, int size) {
        return Math.min(Math.max(value, 0), size - 1);
    }
}
