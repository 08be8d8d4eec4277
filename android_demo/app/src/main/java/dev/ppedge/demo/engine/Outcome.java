package dev.ppedge.demo.engine;

import dev.ppedge.core.Check;
import dev.ppedge.core.Statistics;
import dev.ppedge.demo.logic.Settings;
import java.io.File;
import java.util.List;
import java.util.Map;

/** What a self-test or a benchmark gave. */
public final class Outcome {
    /** Where the report was saved. */
    public final File file;

    /** With which it ran. */
    public final Settings settings;

    /** Times by stage in milliseconds; null for a self-test. */
    public final Map<String, Statistics> times;

    /** Checks by golden picture; null for a benchmark. */
    public final Map<String, List<Check>> checks;

    Outcome(File file, Settings settings, Map<String, Statistics> times, Map<String, List<Check>> checks) {
        this.file = file;
        this.settings = settings;
        this.times = times;
        this.checks = checks;
    }
}
