package dev.ppedge.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How far the log-odds of an int8 network's outputs lie from the PC's, over several pictures together.
 *
 * <p>The PC computes with rounded numbers in float, the phone in whole numbers: where a rounding falls otherwise, all that
 * follows in that picture moves, and in other pictures nothing does. A scale that is wrong moves every picture. So the
 * picture that moves least is the one that tells them apart.
 */
public final class Odds {
    /** Of the mean change of the log-odds in the picture that changes least: 0.0002 was measured, and 0.17 of faults. */
    public static final double TOLERANCE = 0.05;

    /** With fewer pictures, in all of which a rounding may fall otherwise, nothing is said. */
    public static final int FEWEST = 3;

    private static final double LEAST = 1e-5; // probabilities nearer to 0 and 1 are taken for this

    private final Map<String, Changes> changes = new LinkedHashMap<String, Changes>();

    /** Those of one network. */
    private static final class Changes {
        final Stage stage;
        final String recognizer;
        final List<Double> values = new ArrayList<Double>();

        Changes(Stage stage, String recognizer) {
            this.stage = stage;
            this.recognizer = recognizer;
        }
    }

    /**
     * Counts a picture; not a number, of a picture without text, is not counted.
     *
     * @param stage the network's
     * @param recognizer which, where there are several; else empty
     */
    void add(Stage stage, String recognizer, double change) {
        if (Double.isNaN(change)) {
            return;
        }
        String key = stage + " " + recognizer;
        if (!changes.containsKey(key)) {
            changes.put(key, new Changes(stage, recognizer));
        }
        changes.get(key).values.add(change);
    }

    /** Returns one check for each network in int8 that enough pictures were run through. */
    public List<Check> checks() {
        List<Check> checks = new ArrayList<Check>();
        for (Changes of : changes.values()) {
            double least = Double.POSITIVE_INFINITY;
            for (double change : of.values) {
                least = Math.min(least, change);
            }
            if (of.values.size() >= FEWEST) {
                String detail = least <= TOLERANCE ? "" : "every picture is computed otherwise";
                checks.add(new Check(of.stage, of.recognizer, least, TOLERANCE, "odds", detail));
            }
        }
        return checks;
    }

    /** Returns how far two probabilities' log-odds are apart, at most 1. */
    static double change(float got, float wanted) {
        return Math.min(1, Math.abs(logOdds(got) - logOdds(wanted)));
    }

    private static double logOdds(float probability) {
        double p = Math.max(LEAST, Math.min(1 - LEAST, probability));
        return Math.log(p / (1 - p));
    }
}
