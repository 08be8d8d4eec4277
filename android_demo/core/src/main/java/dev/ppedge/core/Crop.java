package dev.ppedge.core;

/** Cutting a line out of a picture. */
public final class Crop {
    private Crop() {}

    /**
     * Cuts a quad out of a picture and straightens it.
     *
     * <p>The crop is as wide as the longer of the quad's horizontal sides and as high as the longer of its vertical ones,
     * in whole pixels, rounded down; sampling is bicubic, and beyond the picture its edge is repeated.
     *
     * @param quad x0, y0 .. x3, y3, clockwise from top-left
     * @param uprightRatio a crop at least this many times as high as wide is turned by 90 degrees counter-clockwise
     * @throws BundleException if the quad is less than a pixel wide or high, or not finite
     */
    public static Image cut(Image image, float[] quad, double uprightRatio) throws BundleException {
        throw new UnsupportedOperationException();
    }
}
