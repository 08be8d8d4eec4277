package dev.ppedge.core;

/** How DB's probability map becomes boxes: the manifest's {@code models.det.postprocess}. */
public final class DbSpec {
    /** A pixel above this is text. */
    public final double thresh;

    /** A box whose mean probability is below this is dropped. */
    public final double boxThresh;

    /** At most this many contours are looked at. */
    public final int maxCandidates;

    /** A box grows by area x ratio / perimeter. */
    public final double unclipRatio;

    /** A box whose shorter side is below this many pixels of the map is dropped before it grows. */
    public final int minSide;

    /** After it, below this many more. */
    public final int grownSide;

    /** Dilate the binary map with a 2x2 kernel first. */
    public final boolean dilation;

    /** Score inside the contour (slow) instead of inside its rectangle (fast). */
    public final boolean slowScore;

    /**
     * @param thresh 0 to 1
     * @param boxThresh 0 to 1
     * @param maxCandidates at least 1
     * @param unclipRatio above 0
     * @param minSide in pixels of the map, at least 1
     * @param grownSide in pixels of the map, at least 0
     * @param dilation whether
     * @param slowScore whether
     */
    public DbSpec(
            double thresh,
            double boxThresh,
            int maxCandidates,
            double unclipRatio,
            int minSide,
            int grownSide,
            boolean dilation,
            boolean slowScore) {
        this.thresh = thresh;
        this.boxThresh = boxThresh;
        this.maxCandidates = maxCandidates;
        this.unclipRatio = unclipRatio;
        this.minSide = minSide;
        this.grownSide = grownSide;
        this.dilation = dilation;
        this.slowScore = slowScore;
    }

    /** Returns the same with a user's thresholds; see the fields. */
    public DbSpec with(double newThresh, double newBoxThresh, double newUnclipRatio) {
        return new DbSpec(
                newThresh, newBoxThresh, maxCandidates, newUnclipRatio, minSide, grownSide, dilation, slowScore);
    }
}
