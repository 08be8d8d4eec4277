package dev.ppedge.demo.logic;

/** How much smaller a picture is decoded, so that it fits the memory whatever a camera makes. */
public final class Sampling {
    /** Longest side in pixels after decoding; what every phone's screen can draw in one piece. */
    public static final int MAX_SIDE = 4096;

    /** Most pixels after decoding: 24 MB as a bitmap, 18 MB for the networks. */
    public static final int MAX_PIXELS = 6000000;

    private Sampling() {}

    /**
     * Returns the power of two by which to divide the sides.
     *
     * @param width in pixels, at least 1
     * @param height in pixels, at least 1
     */
    public static int factor(int width, int height) {
        int factor = 1;
        while ((long) (width / factor) * (height / factor) > MAX_PIXELS
                || Math.max(width, height) / factor > MAX_SIDE) {
            factor *= 2;
        }
        return factor;
    }
}
