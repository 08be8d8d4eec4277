package dev.ppedge.core;

/** A line of text in a picture: where it stands and what it says. */
public final class Line {
    /** As read; may be empty. */
    public final String text;

    /** Mean probability of the characters, 0 to 1. */
    public final double score;

    /** x0, y0 .. x3, y3 in pixels of the picture, clockwise from top-left. */
    public final float[] quad;

    /** The detector's score, 0 to 1. */
    public final double boxScore;

    /** Whether the classifier found it upside down, so that it was turned before it was read. */
    public final boolean turned;

    /**
     * @param text as read
     * @param box where
     * @param turned whether it was turned by 180 degrees before it was read
     */
    public Line(Text text, Box box, boolean turned) {
        this.text = text.text;
        this.score = text.score;
        this.quad = box.quad;
        this.boxScore = box.score;
        this.turned = turned;
    }
}
