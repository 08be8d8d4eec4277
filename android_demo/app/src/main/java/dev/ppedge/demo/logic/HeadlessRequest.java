package dev.ppedge.demo.logic;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A run that an intent asks for, without a hand on the screen. Only adb may send one: the manifest wants a permission of
 * the sender that Android gives to its own shell and to no app.
 *
 * <pre>
 * adb shell am start -n dev.ppedge.demo/.BenchmarkActivity --es run ID
 *     [--ei warmup 3] [--ei runs 20] [--ei threads 1] [--es power_mode high] [--es golden 01] [--es recognizer NAME]
 * adb shell am start -n dev.ppedge.demo/.SelfTestActivity --es run ID [--ei threads 1] [--es power_mode high]
 * </pre>
 *
 * The result is the file {@code KIND-ID.json} in the app's external folder and lines in the log, see {@link LogChunks}.
 */
public final class HeadlessRequest {
    /** The extra that makes an intent a request; its value names the result. */
    public static final String RUN = "run";

    /** The extras that are read; the one that names the result is the first. */
    public static final List<String> NAMES = Collections.unmodifiableList(
            Arrays.asList(RUN, "warmup", "runs", "threads", "power_mode", "golden", "recognizer"));

    /** Names the result of a request whose own name is none. */
    public static final String REFUSED = "refused";

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9_-]{1,40}");
    private static final int MAX_RUNS = 1000;

    /** Names the result: 1 to 40 letters, digits, _ or -; a part of a file's name. */
    public final String id;

    /** Runs before measuring, 0 to 1000. */
    public final int warmup;

    /** Runs measured, 1 to 1000. */
    public final int runs;

    /** 1 to {@link Settings#MAX_THREADS}. */
    public final int threads;

    /** Which cores. */
    public final PowerMode powerMode;

    /** The golden picture to run on; empty for the first. */
    public final String golden;

    /** The name of the recogniser that reads; empty for the first. A self-test is of all. */
    public final String recognizer;

    /** As {@link #parse} makes it; the arguments are within their ranges. */
    public HeadlessRequest(
            String id, int warmup, int runs, int threads, PowerMode powerMode, String golden, String recognizer) {
        this.id = id;
        this.warmup = warmup;
        this.runs = runs;
        this.threads = threads;
        this.powerMode = powerMode;
        this.golden = golden;
        this.recognizer = recognizer;
    }

    /**
     * Reads an intent's extras.
     *
     * @param extras by name; null for none
     * @return null if the intent asks for no run
     * @throws ProblemException BAD_REQUEST, with the extra's name and what it may be
     */
    public static HeadlessRequest parse(Map<String, Object> extras) throws ProblemException {
        if (extras == null || !extras.containsKey(RUN)) {
            return null;
        }
        Object id = extras.get(RUN);
        if (!isId(id)) {
            throw bad(RUN, id, "1 to 40 letters, digits, _ or -");
        }
        Object mode = extras.containsKey("power_mode") ? extras.get("power_mode") : PowerMode.HIGH.word;
        PowerMode powerMode = mode instanceof String ? PowerMode.of((String) mode) : null;
        if (powerMode == null) {
            throw bad("power_mode", mode, "high, low, full, no_bind, rand_high or rand_low");
        }
        return new HeadlessRequest(
                (String) id,
                number(extras, "warmup", 3, 0, MAX_RUNS),
                number(extras, "runs", 20, 1, MAX_RUNS),
                number(extras, "threads", 1, 1, Settings.MAX_THREADS),
                powerMode,
                name(extras, "golden", "the name of a golden picture"),
                name(extras, "recognizer", "the name of a recogniser"));
    }

    private static String name(Map<String, Object> extras, String name, String possible) throws ProblemException {
        Object given = extras.containsKey(name) ? extras.get(name) : "";
        if (!(given instanceof String)) {
            throw bad(name, given, possible);
        }
        return (String) given;
    }

    private static boolean isId(Object id) {
        return id instanceof String && ID.matcher((String) id).matches();
    }

    /** Returns under which name the result of a request is to be saved that {@link #parse} refused. */
    public static String idOf(Map<String, Object> extras) {
        Object id = extras.get(RUN);
        return isId(id) ? (String) id : REFUSED;
    }

    /** {@code am start} gives numbers after --ei and texts after --es: both are understood. */
    private static int number(Map<String, Object> extras, String name, int normal, int low, int high)
            throws ProblemException {
        Object given = extras.containsKey(name) ? extras.get(name) : normal;
        int value;
        try {
            value = Integer.parseInt(String.valueOf(given));
        } catch (NumberFormatException error) {
            throw bad(name, given, "a whole number");
        }
        if (value < low || value > high) {
            throw bad(name, given, low + " to " + high);
        }
        return value;
    }

    private static ProblemException bad(String name, Object given, String possible) {
        return new ProblemException(Problem.BAD_REQUEST, name + " = " + given + ", possible: " + possible);
    }
}
