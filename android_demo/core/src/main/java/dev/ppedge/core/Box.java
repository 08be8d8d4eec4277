package dev.ppedge.core;

/** A detected line of text. */
public final class Box {
    /** x0, y0 .. x3, y3 in pixels of the original picture, clockwise from top-left. */
    public final float[] quad;

    /** Mean probability inside it, 0 to 1. */
    public final double score;

    /**
     * @param quad eight numbers; kept, not copied
     * @param score 0 to 1
     */
    public Box(float[] quad, double score) {
        this.quad = quad;
        this.score = score;
    }
}
