package dev.ppedge.core;

import java.util.ArrayList;
import java.util.List;

/**
 * DB's post-processing: from a probability map to boxes.
 *
 * <p>After Liao et al. 2020, "Real-time Scene Text Detection with Differentiable Binarization": threshold, borders of
 * components and of their holes, minimum-area rectangle of each, its mean probability, and growth ("unclip"). Follows
 * the toolkit's {@code ppedge/ocr/db.py}.
 */
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
        boolean sizes = mapHeight > 0 && mapWidth > 0 && height > 0 && width > 0;
        if (!sizes || (long) mapHeight * mapWidth != map.length) {
            throw new BundleException(
                    Fault.OUTPUT, "det",
                    "The detector gives " + map.length + " values for a map of " + mapWidth + " x " + mapHeight
                            + " pixels, of a picture of " + width + " x " + height + ".",
                    "The model does not belong to this bundle.");
        }
        boolean[] binary = binary(map, (float) spec.thresh);
        if (spec.dilation) {
            binary = dilated(binary, mapHeight, mapWidth);
        }
        List<Box> boxes = new ArrayList<Box>();
        int left = spec.maxCandidates;
        for (int[] border : Contours.find(binary, mapHeight, mapWidth)) {
            if (left-- == 0) {
                break;
            }
            Rectangle rectangle = Calipers.minAreaRectangle(border);
            if (rectangle.shorterSide() < spec.minSide) {
                continue;
            }
            int[] polygon = spec.slowScore ? border : truncated(rectangle.corners());
            double score = PolygonMean.of(map, mapHeight, mapWidth, polygon);
            if (score < spec.boxThresh
                    || rectangle.grownShorterSide(spec.unclipRatio) < spec.minSide + spec.grownSide) {
                continue;
            }
            float[] quad = Quad.ordered(rectangle.grown(spec.unclipRatio).corners());
            if (toPicture(quad, mapHeight, mapWidth, height, width)) {
                boxes.add(new Box(quad, score));
            }
        }
        return boxes;
    }

    private static boolean[] binary(float[] map, float threshold) throws BundleException {
        boolean[] binary = new boolean[map.length];
        for (int i = 0; i < map.length; i++) {
            float value = map[i];
            if (value != value || Float.isInfinite(value)) {
                throw new BundleException(
                        Fault.NOT_A_NUMBER, "det",
                        "The detector gives " + value + " instead of a probability.",
                        "The model is damaged, or its precision does not suit this device.");
            }
            binary[i] = value > threshold;
        }
        return binary;
    }

    /** A pixel is set where it, its left, its upper or its upper left neighbour was. */
    private static boolean[] dilated(boolean[] binary, int height, int width) {
        boolean[] wide = new boolean[binary.length];
        for (int y = 0, i = 0; y < height; y++) {
            for (int x = 0; x < width; x++, i++) {
                boolean set = binary[i] || x > 0 && binary[i - 1];
                if (y > 0) {
                    set |= binary[i - width] || x > 0 && binary[i - width - 1];
                }
                wide[i] = set;
            }
        }
        return wide;
    }

    /** Fractions are cut off, towards 0, as in Python. */
    static int[] truncated(float[] corners) {
        int[] whole = new int[corners.length];
        for (int i = 0; i < whole.length; i++) {
            whole[i] = (int) corners[i];
        }
        return whole;
    }

    /** Scales a quad to the picture and clips it; false if that leaves less than a pixel. */
    private static boolean toPicture(float[] quad, int mapHeight, int mapWidth, int height, int width) {
        float scaleX = (float) ((double) width / mapWidth);
        float scaleY = (float) ((double) height / mapHeight);
        for (int i = 0; i < 8; i += 2) {
            quad[i] = Math.min(Math.max(quad[i] * scaleX, 0f), width);
            quad[i + 1] = Math.min(Math.max(quad[i + 1] * scaleY, 0f), height);
        }
        float across = Math.max(Quad.side(quad, 0), Quad.side(quad, 2));
        float down = Math.max(Quad.side(quad, 1), Quad.side(quad, 3));
        return Math.min(across, down) >= 1;
    }
}
