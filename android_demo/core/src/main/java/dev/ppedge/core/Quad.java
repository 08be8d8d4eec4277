package dev.ppedge.core;

/** Four corners: x0, y0 .. x3, y3 in pixels, y pointing down. */
final class Quad {
    private Quad() {}

    /**
     * Orders the corners clockwise from the top-left one: the upper of the two leftmost ones. Corners that tie are taken
     * by y, so the result does not depend on the order in which they came.
     */
    static float[] ordered(float[] quad) {
        float[] points = quad.clone();
        sort(points, null);
        double centreX = 0;
        double centreY = 0;
        for (int i = 0; i < 8; i += 2) {
            centreX += points[i];
            centreY += points[i + 1];
        }
        int topLeft = points[1] <= points[3] ? 0 : 1;
        float cornerX = points[2 * topLeft];
        float cornerY = points[2 * topLeft + 1];
        double[] angles = new double[4];
        for (int i = 0; i < 4; i++) {
            // y points down, so rising angles run clockwise.
            angles[i] = Math.atan2(points[2 * i + 1] - centreY / 4, points[2 * i] - centreX / 4);
        }
        sort(points, angles);
        int start = 0;
        while (points[2 * start] != cornerX || points[2 * start + 1] != cornerY) {
            start++;
        }
        float[] ordered = new float[8];
        for (int i = 0; i < 8; i++) {
            ordered[i] = points[(2 * start + i) % 8];
        }
        return ordered;
    }

    /** Sorts corners by angle, or by x, then y where no angles are given; stable, by insertion. */
    private static void sort(float[] points, double[] angles) {
        for (int i = 1; i < 4; i++) {
            for (int j = i; j > 0 && before(points, angles, j); j--) {
                swap(points, 2 * j);
                swap(points, 2 * j + 1);
                if (angles != null) {
                    double angle = angles[j];
                    angles[j] = angles[j - 1];
                    angles[j - 1] = angle;
                }
            }
        }
    }

    private static boolean before(float[] points, double[] angles, int j) {
        if (angles != null) {
            return angles[j] < angles[j - 1];
        }
        float x = points[2 * j];
        float other = points[2 * j - 2];
        return x < other || x == other && points[2 * j + 1] < points[2 * j - 1];
    }

    private static void swap(float[] points, int i) {
        float value = points[i];
        points[i] = points[i - 2];
        points[i - 2] = value;
    }

    /** Length of the side from a corner to the next one. */
    static float side(float[] quad, int corner) {
        float dx = quad[(2 * corner + 2) % 8] - quad[2 * corner];
        float dy = quad[(2 * corner + 3) % 8] - quad[2 * corner + 1];
        return (float) Math.sqrt(dx * dx + dy * dy);
    }
}
