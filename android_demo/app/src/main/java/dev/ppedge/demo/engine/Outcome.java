package dev.ppedge.demo.engine;

import dev.ppedge.core.Check;
import dev.ppedge.core.Statistics;
import dev.ppedge.demo.logic.Settings;
import java.io.File;
import java.util.List;
import java.util.Map;

/** What a self-test or a benchmark gave. */
public final class Outcome {
    /** With which it ran. */
    public final Settings settings;

    /** The name of the recogniser that read; empty where the bundle has one, and of a self-test, which is of all. */
    public final String recognizer;

    /** Times by stage in milliseconds; null for a self-test. */
    public final Map<String, Statistics> times;

    /** Checks by golden picture; null for a benchmark. */
    public final Map<String, List<Check>> checks;

    private File file;
    private String whyNotSaved;

    Outcome(
            Settings settings, String recognizer, Map<String, Statistics> times, Map<String, List<Check>> checks) {
        this.settings = settings;
        this.recognizer = recognizer;
        this.times = times;
        this.checks = checks;
    }

    /** Takes note of what became of the report, before anybody sees the outcome. */
    void reported(File where, String whyNot) {
        file = whyNot == null ? where : null;
        whyNotSaved = whyNot;
    }

    /** Where the report was saved; null if it could not be: then it stands in the log alone. */
    public File file() {
        return file;
    }

    /** Why the report could not be saved; null if it was. */
    public String whyNotSaved() {
        return whyNotSaved;
    }
}
