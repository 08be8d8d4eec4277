package dev.ppedge.core;

import java.util.Arrays;

/** What is reported of repeated measurements. */
public final class Statistics {
    /** Number of measurements. */
    public final int count;

    /** Smallest. */
    public final double min;

    /** Median. */
    public final double p50;

    /** Nine of ten are below. */
    public final double p90;

    /** Largest. */
    public final double max;

    /** Arithmetic mean. */
    public final double mean;

    /**
     * @param values in any order; not changed
     * @throws BundleException if there is none, or one is not a finite number
     */
    public Statistics(double[] values) throws BundleException {
        double[] sorted = values.clone();
        Arrays.sort(sorted); // NaN goes to the end
        if (sorted.length == 0 || Double.isInfinite(sorted[0]) || !(sorted[sorted.length - 1] < Double.MAX_VALUE)) {
            throw new BundleException(
                    Fault.SIZE, "",
                    "No statistics of no, or of infinite measurements.", "Run at least once.");
        }
        double sum = 0;
        for (double value : sorted) {
            sum += value;
        }
        count = sorted.length;
        min = sorted[0];
        p50 = percentile(sorted, 50);
        p90 = percentile(sorted, 90);
        max = sorted[count - 1];
        mean = sum / count;
    }

    /** Interpolates linearly between neighbours, as NumPy's percentile does by default. */
    private static double percentile(double[] sorted, int percent) {
        double at = (sorted.length - 1) * percent / 100.0;
        int below = (int) at;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
