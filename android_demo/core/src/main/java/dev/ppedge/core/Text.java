package dev.ppedge.core;

/** A line of text as read. */
public final class Text {
    /** The characters; may be empty. */
    public final String text;

    /** Mean probability of the characters, 0 to 1; 0 for an empty text. */
    public final double score;

    /**
     * @param text the characters
     * @param score 0 to 1
     */
    public Text(String text, double score) {
        this.text = text;
        this.score = score;
    }
}
