package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What was read in a picture, and how long it took. */
public final class Reading {
    /** In reading order. */
    public final List<Line> lines;

    private final long[] nanoseconds;

    /**
     * @param lines in reading order
     * @param nanoseconds of each stage, in the stages' order, over all lines
     */
    public Reading(List<Line> lines, long[] nanoseconds) {
        this.lines = Collections.unmodifiableList(new ArrayList<Line>(lines));
        this.nanoseconds = nanoseconds.clone();
    }

    /** Time of a stage, over all lines. */
    public double milliseconds(Stage stage) {
        return nanoseconds[stage.ordinal()] / 1e6;
    }

    /** Time of all stages. */
    public double milliseconds() {
        long sum = 0;
        for (long part : nanoseconds) {
            sum += part;
        }
        return sum / 1e6;
    }
}
