package dev.ppedge.demo.logic;

import java.util.List;

/** Which box a finger touches. */
public final class Quads {
    private Quads() {}

    /**
     * Returns the smallest quad that holds a point, so that a box inside another can be reached.
     *
     * @param quads each x0, y0 .. x3, y3, convex
     * @return its index; -1 if none does
     */
    public static int at(List<float[]> quads, float x, float y) {
        int found = -1;
        float smallest = Float.MAX_VALUE;
        for (int i = 0; i < quads.size(); i++) {
            float area = Math.abs(area(quads.get(i)));
            if (area < smallest && holds(quads.get(i), x, y)) {
                smallest = area;
                found = i;
            }
        }
        return found;
    }

    /** A point is inside a convex polygon if it is on the same side of all edges. */
    private static boolean holds(float[] q, float x, float y) {
        boolean left = false;
        boolean right = false;
        for (int i = 0; i < 4; i++) {
            int a = 2 * i;
            int b = (a + 2) % 8;
            float side = (q[b] - q[a]) * (y - q[a + 1]) - (q[b + 1] - q[a + 1]) * (x - q[a]);
            left |= side < 0;
            right |= side > 0;
        }
        return !(left && right);
    }

    private static float area(float[] q) {
        float twice = 0;
        for (int i = 0; i < 4; i++) {
            int a = 2 * i;
            int b = (a + 2) % 8;
            twice += q[a] * q[b + 1] - q[b] * q[a + 1];
        }
        return twice / 2;
    }
}
