package dev.ppedge.core;

import java.util.Arrays;

/** The mean of a map inside a polygon, whose pixels are those that OpenCV's {@code fillPoly} paints: edges count. */
final class PolygonMean {
    private static final int SHIFT = 16;

    private final int left;
    private final int top;
    private final int width;
    private final int height;
    private final boolean[] mask;
    private final int[][] crossings;
    private final int[] counts;

    private PolygonMean(int left, int top, int width, int height) {
        this.left = left;
        this.top = top;
        this.width = width;
        this.height = height;
        mask = new boolean[width * height];
        crossings = new int[height][4];
        counts = new int[height];
    }

    /**
     * Returns the mean; 0 where no pixel of the polygon lies on the map.
     *
     * @param map mapHeight x mapWidth values
     * @param polygon x0, y0, x1, y1 ..
     */
    static double of(float[] map, int mapHeight, int mapWidth, int[] polygon) {
        int left = Integer.MAX_VALUE;
        int top = Integer.MAX_VALUE;
        int right = -1;
        int bottom = -1;
        for (int i = 0; i < polygon.length; i += 2) {
            left = Math.min(left, polygon[i]);
            right = Math.max(right, polygon[i]);
            top = Math.min(top, polygon[i + 1]);
            bottom = Math.max(bottom, polygon[i + 1]);
        }
        left = Math.max(left, 0);
        top = Math.max(top, 0);
        right = Math.min(right, mapWidth - 1);
        bottom = Math.min(bottom, mapHeight - 1);
        if (left > right || top > bottom) {
            return 0;
        }
        PolygonMean painted = new PolygonMean(left, top, right - left + 1, bottom - top + 1);
        for (int i = 0; i < polygon.length; i += 2) {
            int next = (i + 2) % polygon.length;
            painted.edge(polygon[i], polygon[i + 1], polygon[next], polygon[next + 1]);
        }
        painted.fill();
        return painted.mean(map, mapWidth);
    }

    /**
     * Paints an edge and keeps where it crosses the rows. An edge that leaves the map is cut to whole pixels at the border
     * first, goes on with the slope of what is left, and its crossings are rounded down, not to the nearest.
     */
    private void edge(int x0, int y0, int x1, int y1) {
        int[] whole = {x0 - left, y0 - top, x1 - left, y1 - top};
        int[] ends = whole.clone();
        if (cut(ends)) {
            if (ends[0] <= ends[2]) {
                line(ends[0], ends[1], ends[2], ends[3]);
            } else {
                line(ends[2], ends[3], ends[0], ends[1]);
            }
        }
        if (y0 == y1) {
            return;
        }
        long half = (side(whole, 0) | side(whole, 2)) == 0 ? 1 << SHIFT - 1 : 0;
        ends = ends[1] == ends[3] ? whole : ends;
        long step = ((long) (ends[2] - ends[0]) << SHIFT) / (ends[3] - ends[1]);
        int row = Math.min(whole[1], whole[3]);
        int upper = y0 < y1 ? 0 : 2;
        long x = half + ((long) ends[upper] << SHIFT) + (row - ends[upper + 1]) * step;
        for (; row < Math.max(whole[1], whole[3]); row++, x += step) {
            if (row >= 0 && row < height) {
                if (counts[row] == crossings[row].length) {
                    crossings[row] = Arrays.copyOf(crossings[row], 2 * counts[row]);
                }
                crossings[row][counts[row]++] = (int) (x >> SHIFT);
            }
        }
    }

    /** Cuts a line at the border (Cohen and Sutherland); false if nothing of it is inside. */
    private boolean cut(int[] ends) {
        if ((side(ends, 0) & side(ends, 2)) == 0) {
            cutRows(ends, 0);
            cutRows(ends, 2);
            if ((side(ends, 0) & side(ends, 2)) == 0) {
                cutColumns(ends, 0);
                cutColumns(ends, 2);
            }
        }
        return (side(ends, 0) | side(ends, 2)) == 0;
    }

    /** On which sides of the map an end lies: left 1, right 2, above 4, below 8. */
    private int side(int[] ends, int end) {
        int x = ends[end];
        int y = ends[end + 1];
        return (x < 0 ? 1 : x >= width ? 2 : 0) | (y < 0 ? 4 : y >= height ? 8 : 0);
    }

    private void cutRows(int[] ends, int end) {
        int y = ends[end + 1];
        if (y < 0 || y >= height) {
            int at = y < 0 ? 0 : height - 1;
            ends[end] += (int) ((double) (at - y) * (ends[2] - ends[0]) / (ends[3] - ends[1]));
            ends[end + 1] = at;
        }
    }

    private void cutColumns(int[] ends, int end) {
        int x = ends[end];
        if (x < 0 || x >= width) {
            int at = x < 0 ? 0 : width - 1;
            ends[end + 1] += (int) ((double) (at - x) * (ends[3] - ends[1]) / (ends[2] - ends[0]));
            ends[end] = at;
        }
    }

    /** Bresenham's line from left to right. */
    private void line(int x0, int y0, int x1, int y1) {
        int dx = x1 - x0;
        int dy = Math.abs(y1 - y0);
        int down = y1 < y0 ? -1 : 1;
        boolean steep = dy > dx;
        int longer = Math.max(dx, dy);
        int shorter = Math.min(dx, dy);
        int error = longer - 2 * shorter;
        for (int i = 0, x = x0, y = y0; i <= longer; i++) {
            mask[y * width + x] = true;
            boolean aside = error < 0;
            error += aside ? 2 * (longer - shorter) : -2 * shorter;
            x += !steep || aside ? 1 : 0;
            y += steep || aside ? down : 0;
        }
    }

    /** Paints between each two crossings of a row (even-odd rule); the edges themselves are painted already. */
    private void fill() {
        for (int row = 0; row < height; row++) {
            Arrays.sort(crossings[row], 0, counts[row]);
            for (int i = 0; i + 1 < counts[row]; i += 2) {
                int from = Math.max(crossings[row][i], 0);
                int to = Math.min(crossings[row][i + 1], width - 1);
                if (from <= to) {
                    Arrays.fill(mask, row * width + from, row * width + to + 1, true);
                }
            }
        }
    }

    private double mean(float[] map, int mapWidth) {
        double sum = 0;
        int count = 0;
        for (int row = 0, i = 0; row < height; row++) {
            int at = (top + row) * mapWidth + left;
            for (int x = 0; x < width; x++, i++, at++) {
                if (mask[i]) {
                    sum += map[at];
                    count++;
                }
            }
        }
        return count == 0 ? 0 : sum / count;
    }
}
