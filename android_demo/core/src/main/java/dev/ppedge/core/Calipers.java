package dev.ppedge.core;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The rectangle of least area around points: convex hull (Andrew's monotone chain) and rotating calipers (Toussaint 1983,
 * "Solving Geometric Problems with the Rotating Calipers"), in the float arithmetic and order of OpenCV, so that of
 * several rectangles of one area it is the same one.
 */
final class Calipers {
    private Calipers() {}

    /**
     * Returns the rectangle.
     *
     * @param points x0, y0, x1, y1 .., at least one point, not negative
     */
    static Rectangle minAreaRectangle(int[] points) {
        int[] hull = hull(points);
        int n = hull.length / 2;
        if (n == 1) {
            return new Rectangle(hull[0], hull[1], 0, 0, 0);
        }
        if (n == 2) {
            double dx = hull[2] - hull[0];
            double dy = hull[3] - hull[1];
            float length = (float) Math.sqrt(dx * dx + dy * dy);
            return new Rectangle((hull[0] + hull[2]) * 0.5f, (hull[1] + hull[3]) * 0.5f, length, 0, degrees(dy, dx));
        }
        return rotate(begunAsOpenCv(hull, n, points), n);
    }

    /** The corners of the convex hull, in rising angle of the edges (y pointing down), from the leftmost on. */
    static int[] hull(int[] points) {
        int n = points.length / 2;
        long[] sorted = new long[n];
        for (int i = 0; i < n; i++) {
            sorted[i] = (long) points[2 * i] << 32 | points[2 * i + 1];
        }
        Arrays.sort(sorted);
        int[] hull = new int[4 * n + 2];
        int size = chain(sorted, 0, 1, hull, 0);
        size = chain(sorted, n - 1, -1, hull, Math.max(size - 1, 0));
        return Arrays.copyOf(hull, 2 * Math.max(size - 1, 1));
    }

    /** Appends one half of the hull, its first point replacing the one at {@code begin}; returns the new size. */
    private static int chain(long[] sorted, int from, int step, int[] hull, int begin) {
        int size = begin;
        for (int i = from; i >= 0 && i < sorted.length; i += step) {
            int x = (int) (sorted[i] >> 32);
            int y = (int) sorted[i];
            if (size > begin && hull[2 * size - 2] == x && hull[2 * size - 1] == y) {
                continue;
            }
            while (size - begin >= 2 && turn(hull, size, x, y) <= 0) {
                size--;
            }
            hull[2 * size] = x;
            hull[2 * size + 1] = y;
            size++;
        }
        return size;
    }

    /** Above 0 where the last two points of the hull and a new one turn towards rising angles. */
    private static long turn(int[] hull, int size, int x, int y) {
        long ax = hull[2 * size - 2] - hull[2 * size - 4];
        long ay = hull[2 * size - 1] - hull[2 * size - 3];
        return ax * (y - hull[2 * size - 3]) - ay * (x - hull[2 * size - 4]);
    }

    /**
     * Begins the hull where OpenCV's begins, which decides between rectangles of one area: at the rightmost corner; but
     * where the corners stand in the hull as they stand in the points, forwards or backwards, at the first or last one.
     */
    private static int[] begunAsOpenCv(int[] hull, int n, int[] points) {
        int[] places = places(hull, n, points);
        int rightmost = 0;
        int first = 0;
        int last = 0;
        int rises = 0;
        for (int k = 0; k < n; k++) {
            int x = hull[2 * k] - hull[2 * rightmost];
            rightmost = x > 0 || x == 0 && hull[2 * k + 1] > hull[2 * rightmost + 1] ? k : rightmost;
            first = places[k] < places[first] ? k : first;
            last = places[k] > places[last] ? k : last;
            rises += places[k] < places[(k + 1) % n] ? 1 : 0;
        }
        int begin = rises == n - 1 ? first : rises == 1 ? last : rightmost;
        int[] begun = new int[2 * n];
        for (int i = 0; i < 2 * n; i++) {
            begun[i] = hull[(2 * begin + i) % (2 * n)];
        }
        return begun;
    }

    /** For each corner of the hull, which of the points it is. */
    private static int[] places(int[] hull, int n, int[] points) {
        Map<Long, Integer> corners = new HashMap<Long, Integer>();
        for (int k = 0; k < n; k++) {
            corners.put((long) hull[2 * k] << 32 | hull[2 * k + 1], k);
        }
        int[] places = new int[n];
        for (int i = points.length - 2; i >= 0; i -= 2) {
            Integer corner = corners.get((long) points[i] << 32 | points[i + 1]);
            if (corner != null) {
                places[corner] = i;
            }
        }
        return places;
    }

    private static Rectangle rotate(int[] hull, int n) {
        // The corners that the four calipers touch: lowest y, highest x, highest y, lowest x.
        int[] touched = new int[4];
        for (int i = 1; i < n; i++) {
            touched[0] = hull[2 * i + 1] < hull[2 * touched[0] + 1] ? i : touched[0];
            touched[1] = hull[2 * i] > hull[2 * touched[1]] ? i : touched[1];
            touched[2] = hull[2 * i + 1] > hull[2 * touched[2] + 1] ? i : touched[2];
            touched[3] = hull[2 * i] < hull[2 * touched[3]] ? i : touched[3];
        }
        float least = Float.MAX_VALUE;
        float[] best = new float[6]; // direction, width, height; corners at the left and at the bottom
        for (int k = 0; k < n; k++) {
            int main = nextEdge(hull, n, touched);
            int[] edge = edge(hull, n, touched, main);
            float inverse = (float) (1.0 / Math.sqrt((double) edge[0] * edge[0] + (double) edge[1] * edge[1]));
            float a = edge[0] * inverse;
            float b = edge[1] * inverse;
            touched[main] = (touched[main] + 1) % n;
            float width = (x(hull, touched[1]) - x(hull, touched[3])) * a + (y(hull, touched[1]) - y(hull, touched[3])) * b;
            float height = -(x(hull, touched[2]) - x(hull, touched[0])) * b + (y(hull, touched[2]) - y(hull, touched[0])) * a;
            float area = width * height;
            if (area <= least) {
                least = area;
                best = new float[] {a, b, width, height, touched[3], touched[0]};
            }
        }
        return rectangle(hull, best);
    }

    /** Which of the calipers is the first to lie along an edge as they turn. */
    private static int nextEdge(int[] hull, int n, int[] touched) {
        int main = 0;
        int[] first = edge(hull, n, touched, 0);
        for (int i = 1; i < 4; i++) {
            int[] other = edge(hull, n, touched, i);
            if ((long) other[0] * first[1] - (long) other[1] * first[0] > 0) {
                main = i;
                first = other;
            }
        }
        return main;
    }

    /** The edge that begins where a caliper touches, turned back by the caliper's own quarter turns. */
    private static int[] edge(int[] hull, int n, int[] touched, int caliper) {
        int from = touched[caliper];
        int to = (from + 1) % n;
        int dx = hull[2 * to] - hull[2 * from];
        int dy = hull[2 * to + 1] - hull[2 * from + 1];
        switch (caliper) {
            case 0:
                return new int[] {dx, dy};
            case 1:
                return new int[] {dy, -dx};
            case 2:
                return new int[] {-dx, -dy};
            default:
                return new int[] {-dy, dx};
        }
    }

    private static Rectangle rectangle(int[] hull, float[] best) {
        float a = best[0];
        float b = best[1];
        int left = (int) best[4];
        int bottom = (int) best[5];
        // Where the line through the left corner, across the direction, meets the one through the bottom corner along it.
        float c1 = a * x(hull, left) + y(hull, left) * b;
        float c2 = -b * x(hull, bottom) + y(hull, bottom) * a;
        float inverse = 1f / (a * a + b * b);
        float cornerX = (c1 * a - c2 * b) * inverse;
        float cornerY = (a * c2 + b * c1) * inverse;
        float ux = a * best[2];
        float uy = b * best[2];
        float vx = -b * best[3];
        float vy = a * best[3];
        return new Rectangle(
                cornerX + (ux + vx) * 0.5f,
                cornerY + (uy + vy) * 0.5f,
                (float) Math.sqrt((double) ux * ux + (double) uy * uy),
                (float) Math.sqrt((double) vx * vx + (double) vy * vy),
                degrees(uy, ux));
    }

    private static float degrees(double dy, double dx) {
        return (float) ((float) Math.atan2(dy, dx) * 180f / Math.PI);
    }

    private static float x(int[] hull, int i) {
        return hull[2 * i];
    }

    private static float y(int[] hull, int i) {
        return hull[2 * i + 1];
    }
}
