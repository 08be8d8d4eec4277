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

    private void edge(int x0, int y0, int x1, int y1) {
        if (x0 < x1 || x0 == x1 && y0 < y1) {
            line(x0, y0, x1, y1);
        } else {
            line(x1, y1, x0, y0);
        }
        if (y0 == y1) {
            return;
        }
        int upper = Math.min(y0, y1);
        long x = (long) (upper == y0 ? x0 : x1) << SHIFT;
        long step = ((long) (x1 - x0) << SHIFT) / (y1 - y0);
        for (int y = upper; y < Math.max(y0, y1); y++, x += step) {
            int row = y - top;
            if (row >= 0 && row < height) {
                if (counts[row] == crossings[row].length) {
                    crossings[row] = Arrays.copyOf(crossings[row], 2 * counts[row]);
                }
                crossings[row][counts[row]++] = (int) x;
            }
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
            paint(x, y);
            boolean aside = error < 0;
            error += aside ? 2 * (longer - shorter) : -2 * shorter;
            x += !steep || aside ? 1 : 0;
            y += steep || aside ? down : 0;
        }
    }

    private void paint(int x, int y) {
        if (x >= left && x < left + width && y >= top && y < top + height) {
            mask[(y - top) * width + x - left] = true;
        }
    }

    /** Paints between each two crossings of a row (even-odd rule); the edges themselves are painted already. */
    private void fill() {
        for (int row = 0; row < height; row++) {
            Arrays.sort(crossings[row], 0, counts[row]);
            for (int i = 0; i + 1 < counts[row]; i += 2) {
                int from = Math.max((crossings[row][i] + (1 << SHIFT) - 1 >> SHIFT) - left, 0);
                int to = Math.min((crossings[row][i + 1] >> SHIFT) - left, width - 1);
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
