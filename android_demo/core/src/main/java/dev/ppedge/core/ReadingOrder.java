package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** From top to bottom and, within a line, from left to right. */
public final class ReadingOrder {
    /** Compares top-left corners: first by one coordinate, then by the other. */
    private static final class ByCorner implements Comparator<Box> {
        private final int first;

        ByCorner(int first) {
            this.first = first;
        }

        @Override
        public int compare(Box one, Box other) {
            int order = Float.compare(one.quad[first], other.quad[first]);
            return order != 0 ? order : Float.compare(one.quad[1 - first], other.quad[1 - first]);
        }
    }

    private ReadingOrder() {}

    /**
     * Returns the boxes in reading order.
     *
     * <p>Going down, a box opens a new line when its top-left corner lies {@code sameLine} pixels or more below that of
     * the line's first box.
     *
     * @param boxes not changed
     * @param sameLine in pixels
     */
    public static List<Box> sort(List<Box> boxes, double sameLine) {
        List<Box> sorted = new ArrayList<Box>(boxes);
        Collections.sort(sorted, new ByCorner(1)); // a stable sort, as Python's is
        int begin = 0;
        for (int i = 1; i <= sorted.size(); i++) {
            if (i == sorted.size() || !((double) sorted.get(i).quad[1] - sorted.get(begin).quad[1] < sameLine)) {
                Collections.sort(sorted.subList(begin, i), new ByCorner(0));
                begin = i;
            }
        }
        return sorted;
    }
}
