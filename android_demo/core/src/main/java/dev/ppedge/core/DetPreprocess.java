package dev.ppedge.core;

/** How a picture becomes the detector's input: the manifest's {@code models.det.preprocess}. */
public final class DetPreprocess {
    /** The length in pixels that {@link #limitMin} speaks of. */
    public final int limitSide;

    /** True: enlarge until the shorter side is at least limitSide; false: shrink until the longer is at most that. */
    public final boolean limitMin;

    /** Upper bound in pixels of the longer side after that. */
    public final int maxSide;

    /** Both sides are rounded to a multiple of this many pixels. */
    public final int multiple;

    private final double[] mean;
    private final double[] std;

    /**
     * @param limitSide in pixels, at least 1
     * @param limitMin which of the two rules
     * @param maxSide in pixels, at least 1
     * @param multiple in pixels, at least 1
     * @param mean three, of value / 255, in the order B, G, R
     * @param std likewise, above 0
     */
    public DetPreprocess(
            int limitSide, boolean limitMin, int maxSide, int multiple, double[] mean, double[] std) {
        this.limitSide = limitSide;
        this.limitMin = limitMin;
        this.maxSide = maxSide;
        this.multiple = multiple;
        this.mean = mean.clone();
        this.std = std.clone();
    }

    /** Mean of value / 255 of a channel: 0 blue, 1 green, 2 red. */
    public double mean(int channel) {
        return mean[channel];
    }

    /** Standard deviation of value / 255 of a channel: 0 blue, 1 green, 2 red. */
    public double std(int channel) {
        return std[channel];
    }

    /**
     * Returns the size {height, width} in pixels at which the detector sees a picture.
     *
     * <p>Both sides are scaled alike, then each is rounded (halves up) to a multiple of {@link #multiple}; no side
     * exceeds the bounds, except that it is always at least one multiple.
     *
     * @param height of the picture, in pixels
     * @param width of the picture, in pixels
     */
    public int[] size(int height, int width) {
        int longer = Math.max(height, width);
        int bound = limitMin ? maxSide : Math.min(limitSide, maxSide);
        double scale = limitMin ? Math.max(1.0, (double) limitSide / Math.min(height, width)) : 1.0;
        scale = Math.min(scale, (double) bound / longer);
        int most = Math.max(bound / multiple, 1);
        return new int[] {fitted(height * scale, most), fitted(width * scale, most)};
    }

    private int fitted(double side, int most) {
        return Math.min(Math.max((int) Math.floor(side / multiple + 0.5), 1), most) * multiple;
    }
}
