package dev.ppedge.core;

import java.util.List;

/** DB's post-processing: from a probability map to boxes. */
public final class DbPostprocess {
    private DbPostprocess() {}

    /**
     * Finds the boxes in a probability map.
     *
     * @param map mapHeight x mapWidth values, row by row
     * @param mapHeight in pixels
     * @param mapWidth in pixels
     * @param height of the picture that the map stands for, in pixels
     * @param width likewise
     * @param spec the thresholds
     * @return boxes in the order of their contours, each at least a pixel wide and high
     * @throws BundleException if the sizes do not fit, or a value is not a number
     */
    public static List<Box> boxes(float[] map, int mapHeight, int mapWidth, int height, int width, DbSpec spec)
            throws BundleException {
        throw new UnsupportedOperationException();
    }
}
