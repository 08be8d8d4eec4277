package dev.ppedge.core;

import java.util.List;

/** From top to bottom and, within a line, from left to right. */
public final class ReadingOrder {
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
        throw new UnsupportedOperationException();
    }
}
