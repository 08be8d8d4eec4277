package dev.ppedge.core;

/** How a text line's crop becomes an input: a recogniser's {@code preprocess} in the manifest, or the classifier's. */
public final class LinePreprocess {
    /** Of the input, in pixels. */
    public final int height;

    /** A narrower line is padded on the right to this width, after normalising, with 0. */
    public final int minWidth;

    /** A wider line is squeezed to this width. */
    public final int maxWidth;

    /** Mean of value / 255, for all channels. */
    public final double mean;

    /** Standard deviation of value / 255, for all channels. */
    public final double std;

    /**
     * @param height in pixels, at least 1
     * @param minWidth in pixels, at least 1
     * @param maxWidth in pixels, at least 1; the classifier's one width is both
     * @param mean of value / 255
     * @param std likewise, above 0
     */
    public LinePreprocess(int height, int minWidth, int maxWidth, double mean, double std) {
        this.height = height;
        this.minWidth = minWidth;
        this.maxWidth = maxWidth;
        this.mean = mean;
        this.std = std;
    }

    /** Returns the width in pixels, without padding, that a crop takes at {@link #height}. */
    public int width(Image crop) {
        double width = Math.ceil((double) ((long) height * crop.width) / crop.height);
        return (int) Math.min(Math.max(width, 1), maxWidth);
    }
}
