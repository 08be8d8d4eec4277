package dev.ppedge.core;

/**
 * Cutting a line out of a picture: a perspective transform, sampled bicubically, equal to the bit to what OpenCV's
 * {@code warpPerspective} gives.
 *
 * <p>OpenCV samples at 1/32 of a pixel, with weights of 15 bits that sum to 1 exactly.
 */
public final class Crop {
    private static final int FRACTION_BITS = 5;
    private static final int FRACTIONS = 1 << FRACTION_BITS;
    private static final int WEIGHT_BITS = 15;
    private static final int BLOCK = 32;
    private static final float CUBIC = -0.75f;

    /** For each fraction of y and x, 4 x 4 weights. */
    private static final short[][] WEIGHTS = weights();

    private Crop() {}

    /**
     * Cuts a quad out of a picture and straightens it.
     *
     * <p>The crop is as wide as the longer of the quad's horizontal sides and as high as the longer of its vertical ones,
     * in whole pixels, rounded down; beyond the picture its edge is repeated.
     *
     * @param quad x0, y0 .. x3, y3, clockwise from top-left
     * @param uprightRatio a crop at least this many times as high as wide is turned by 90 degrees counter-clockwise
     * @throws BundleException if the quad is less than a pixel wide or high, or not finite
     */
    public static Image cut(Image image, float[] quad, double uprightRatio) throws BundleException {
        float across = Math.max(length(quad, 0), length(quad, 2));
        float down = Math.max(length(quad, 1), length(quad, 3));
        if (!(across >= 1 && down >= 1 && (double) across * down <= Image.MAX_PIXELS)) {
            throw new BundleException(
                    Fault.SIZE, across + " x " + down,
                    "A quad of " + across + " x " + down + " pixels cannot be cut out.", "");
        }
        int width = (int) across;
        int height = (int) down;
        Image crop = new Image(width, height, new byte[width * height * 3]);
        warp(image, Perspective.toQuad(quad, width, height), crop);
        return height >= uprightRatio * width ? crop.turnedLeft() : crop;
    }

    private static float length(float[] quad, int corner) {
        float dx = quad[(2 * corner + 2) % 8] - quad[2 * corner];
        float dy = quad[(2 * corner + 3) % 8] - quad[2 * corner + 1];
        return (float) Math.hypot(dx, dy);
    }

    private static void warp(Image image, double[] m, Image crop) {
        // OpenCV sums anew at the beginning of each block of columns; rounding errors depend on it.
        int block = Math.min(BLOCK * BLOCK / Math.min(BLOCK / 2, crop.height), crop.width);
        for (int y = 0, out = 0; y < crop.height; y++) {
            for (int x = 0; x < crop.width; x++, out += 3) {
                int inside = x % block;
                int begin = x - inside;
                double w = m[6] * begin + m[7] * y + m[8] + m[6] * inside;
                w = w == 0 ? 0 : FRACTIONS / w;
                int fixedX = whole((m[0] * begin + m[1] * y + m[2] + m[0] * inside) * w);
                int fixedY = whole((m[3] * begin + m[4] * y + m[5] + m[3] * inside) * w);
                short[] weights = WEIGHTS[(fixedY & FRACTIONS - 1) * FRACTIONS + (fixedX & FRACTIONS - 1)];
                sample(image, (fixedX >> FRACTION_BITS) - 1, (fixedY >> FRACTION_BITS) - 1, weights, crop.bgr, out);
            }
        }
    }

    private static int whole(double value) {
        return (int) Math.rint(Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, value)));
    }

    private static void sample(Image image, int left, int top, short[] weights, byte[] to, int out) {
        int blue = 0;
        int green = 0;
        int red = 0;
        for (int j = 0, k = 0; j < 4; j++) {
            int row = clip(top + j, image.height) * image.width;
            for (int i = 0; i < 4; i++, k++) {
                int at = (row + clip(left + i, image.width)) * 3;
                int weight = weights[k];
                blue += (image.bgr[at] & 255) * weight;
                green += (image.bgr[at + 1] & 255) * weight;
                red += (image.bgr[at + 2] & 255) * weight;
            }
        }
        to[out] = level(blue);
        to[out + 1] = level(green);
        to[out + 2] = level(red);
    }

    private static byte level(int sum) {
        return (byte) Math.min(Math.max(sum + (1 << WEIGHT_BITS - 1) >> WEIGHT_BITS, 0), 255);
    }

    private static int clip(int value, int size) {
        return Math.min(Math.max(value, 0), size - 1);
    }

    private static short[][] weights() {
        float[][] line = new float[FRACTIONS][];
        for (int i = 0; i < FRACTIONS; i++) {
            line[i] = cubic(i * (1f / FRACTIONS));
        }
        short[][] weights = new short[FRACTIONS * FRACTIONS][16];
        for (int y = 0; y < FRACTIONS; y++) {
            for (int x = 0; x < FRACTIONS; x++) {
                round(line[y], line[x], weights[y * FRACTIONS + x]);
            }
        }
        return weights;
    }

    /** The weights of four neighbours (Keys 1981, "Cubic Convolution Interpolation"), which sum to 1. */
    private static float[] cubic(float x) {
        float[] c = new float[4];
        c[0] = ((CUBIC * (x + 1) - 5 * CUBIC) * (x + 1) + 8 * CUBIC) * (x + 1) - 4 * CUBIC;
        c[1] = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1;
        c[2] = ((CUBIC + 2) * (1 - x) - (CUBIC + 3)) * (1 - x) * (1 - x) + 1;
        c[3] = 1f - c[0] - c[1] - c[2];
        return c;
    }

    /** Rounds the products to 15 bits; what is over or missing goes to the largest or smallest of the inner ones. */
    private static void round(float[] down, float[] across, short[] weights) {
        int sum = 0;
        for (int k = 0; k < 16; k++) {
            float product = down[k / 4] * across[k % 4];
            weights[k] = (short) Math.max(
                    Math.min(Math.rint(product * (1 << WEIGHT_BITS)), Short.MAX_VALUE), Short.MIN_VALUE);
            sum += weights[k];
        }
        int over = sum - (1 << WEIGHT_BITS);
        if (over == 0) {
            return;
        }
        int largest = 10;
        int smallest = 10;
        for (int k : new int[] {10, 11, 14, 15}) {
            if (weights[k] < weights[smallest]) {
                smallest = k;
            } else if (weights[k] > weights[largest]) {
                largest = k;
            }
        }
        weights[over < 0 ? largest : smallest] -= (short) over;
    }
}
