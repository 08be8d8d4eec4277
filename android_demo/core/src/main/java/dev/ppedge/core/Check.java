package dev.ppedge.core;

/** What a stage gave on a golden picture, compared with what Python computed. */
public final class Check {
    /** Which. */
    public final Stage stage;

    /** Largest difference over the picture, in {@link #unit}. */
    public final double difference;

    /** What the difference may be at most. */
    public final double tolerance;

    /**
     * {@code value} (of a tensor), {@code share} (of an int8 network's decisions, 0 to 1), {@code odds} (see {@link Odds}, of
     * all pictures together), {@code pixel}, {@code level} (of
     * 255), {@code line} (number of lines that differ).
     */
    public final String unit;

    /** The name of the recogniser that it is about; empty where it is about none, or the bundle has one. */
    public final String recognizer;

    /** A sentence on the first thing that differs beyond the tolerance; empty if nothing does. */
    public final String detail;

    /** See the fields. */
    public Check(
            Stage stage, String recognizer, double difference, double tolerance, String unit, String detail) {
        this.stage = stage;
        this.recognizer = recognizer;
        this.difference = difference;
        this.tolerance = tolerance;
        this.unit = unit;
        this.detail = detail;
    }

    /** Whether the difference is within the tolerance; a NaN is not. */
    public boolean passed() {
        return difference <= tolerance;
    }
}
