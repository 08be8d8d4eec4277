package dev.ppedge.demo.logic;

/** Which cores Paddle Lite uses; in the order of the settings' list. */
public enum PowerMode {
    /** The big cores. */
    HIGH("high"),
    /** The small cores. */
    LOW("low"),
    /** All cores. */
    FULL("full"),
    /** Whatever the system chooses. */
    NO_BIND("no_bind"),
    /** Some of the big cores. */
    RAND_HIGH("rand_high"),
    /** Some of the small cores. */
    RAND_LOW("rand_low");

    /** Its name in intents and reports. */
    public final String word;

    PowerMode(String word) {
        this.word = word;
    }

    /** Returns the mode of a name; null if there is none. */
    public static PowerMode of(String word) {
        for (PowerMode mode : values()) {
            if (mode.word.equals(word)) {
                return mode;
            }
        }
        return null;
    }
}
