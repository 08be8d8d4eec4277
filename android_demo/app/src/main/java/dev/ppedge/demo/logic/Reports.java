package dev.ppedge.demo.logic;

import dev.ppedge.core.BundleException;
import dev.ppedge.core.Check;
import dev.ppedge.core.Manifest;
import dev.ppedge.core.ModelEntry;
import dev.ppedge.core.Reading;
import dev.ppedge.core.RecognizerEntry;
import dev.ppedge.core.Stage;
import dev.ppedge.core.Statistics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The results that the toolkit reads: {@code benchmark-ID.json} and {@code self_test-ID.json}, schema 1.
 *
 * <p>{@code docs/formats.md} has the keys. Times are in milliseconds.
 */
public final class Reports {
    /** Of both files. */
    public static final int SCHEMA = 1;

    /** The key of the times of all stages together. */
    public static final String TOTAL = "total";

    /** In the place of a golden picture's name, of checks over all of them together. */
    public static final String TOGETHER = "all";

    /** Reports of this kind hold times. */
    public static final String BENCHMARK = "benchmark";

    /** Reports of this kind hold differences to the PC. */
    public static final String SELF_TEST = "self_test";

    private Reports() {}

    /**
     * Starts a report.
     *
     * @param kind {@link #BENCHMARK} or {@link #SELF_TEST}
     * @param request what was asked
     * @param device what is known of the phone
     */
    public static Map<String, Object> begin(String kind, HeadlessRequest request, Map<String, Object> device) {
        Map<String, Object> settings = new LinkedHashMap<String, Object>();
        settings.put("threads", request.threads);
        settings.put("power_mode", request.powerMode.word);
        if (kind.equals(BENCHMARK)) {
            settings.put("warmup", request.warmup);
            settings.put("runs", request.runs);
        }
        Map<String, Object> report = new LinkedHashMap<String, Object>();
        report.put("schema", SCHEMA);
        report.put("kind", kind);
        report.put("id", request.id);
        report.put("status", "ok");
        report.put("problem", null);
        report.put("device", device);
        report.put("settings", settings);
        return report;
    }

    /** Says in a report that the run failed. */
    public static void fail(Map<String, Object> report, ProblemException problem) {
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        told.put("kind", problem.problem.name().toLowerCase(Locale.ROOT));
        told.put("detail", problem.getMessage());
        report.put("status", "failed");
        report.put("problem", told);
    }

    /**
     * Says in a report what ran.
     *
     * @param recognizer which of the bundle's read, or was the first to
     */
    public static void addBundle(
            Map<String, Object> report, Manifest manifest, RecognizerEntry recognizer, String runtime) {
        Map<String, Object> models = new LinkedHashMap<String, Object>();
        models.put("det", model(manifest.det));
        models.put("rec", model(recognizer));
        if (manifest.cls != null) {
            models.put("cls", model(manifest.cls));
        }
        report.put("runtime", runtime);
        report.put("bundle", manifest.name);
        report.put("models", models);
        if (!recognizer.name.isEmpty()) {
            Map<String, Object> all = new LinkedHashMap<String, Object>();
            for (RecognizerEntry each : manifest.recognizers) {
                all.put(each.name, model(each));
            }
            report.put("recognizer", recognizer.name);
            report.put("recognizers", all);
        }
    }

    private static Map<String, Object> model(ModelEntry entry) {
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        told.put("file", entry.path);
        told.put("bytes", entry.bytes);
        told.put("sha256", entry.sha256);
        told.put("precision", entry.precision);
        told.put("opt_version", entry.optVersion);
        return told;
    }

    /**
     * Puts the times of repeated readings of one picture into a report.
     *
     * @param readings at least one
     * @return by stage, and {@link #TOTAL}, what was put there, for the screen
     * @throws BundleException if there is no reading
     */
    public static Map<String, Statistics> addTimes(Map<String, Object> report, List<Reading> readings)
            throws BundleException {
        Map<String, Statistics> figures = new LinkedHashMap<String, Statistics>();
        double[] values = new double[readings.size()];
        for (Stage stage : Stage.values()) {
            for (int i = 0; i < values.length; i++) {
                values[i] = readings.get(i).milliseconds(stage);
            }
            figures.put(word(stage), new Statistics(values));
        }
        for (int i = 0; i < values.length; i++) {
            values[i] = readings.get(i).milliseconds();
        }
        figures.put(TOTAL, new Statistics(values));
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        for (Map.Entry<String, Statistics> figure : figures.entrySet()) {
            told.put(figure.getKey(), times(figure.getValue()));
        }
        report.put("lines", readings.get(0).lines.size());
        report.put("ms", told);
        return figures;
    }

    private static Map<String, Object> times(Statistics figures) {
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        told.put("p50", rounded(figures.p50));
        told.put("p90", rounded(figures.p90));
        told.put("min", rounded(figures.min));
        told.put("max", rounded(figures.max));
        told.put("mean", rounded(figures.mean));
        return told;
    }

    /** To the microsecond: the clock gives no more. */
    private static double rounded(double milliseconds) {
        return Math.round(milliseconds * 1000) / 1000.0;
    }

    /**
     * Puts a self-test's checks into a report.
     *
     * @param checks by the golden picture's name
     * @return whether all passed
     */
    public static boolean addChecks(Map<String, Object> report, Map<String, List<Check>> checks) {
        List<Object> told = new ArrayList<Object>();
        boolean passed = true;
        for (Map.Entry<String, List<Check>> picture : checks.entrySet()) {
            for (Check check : picture.getValue()) {
                Map<String, Object> row = new LinkedHashMap<String, Object>();
                row.put("golden", picture.getKey());
                row.put("stage", word(check.stage));
                if (!check.recognizer.isEmpty()) {
                    row.put("recognizer", check.recognizer);
                }
                row.put("difference", check.difference);
                row.put("tolerance", check.tolerance);
                row.put("unit", check.unit);
                row.put("passed", check.passed());
                row.put("detail", check.detail);
                told.add(row);
                passed &= check.passed();
            }
        }
        report.put("passed", passed);
        report.put("checks", told);
        return passed;
    }

    /** Returns a stage's name in reports: {@code det_network}. */
    public static String word(Stage stage) {
        return stage.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Returns for each stage, and each of several recognisers, the check that is furthest from passing, over all pictures.
     *
     * @param checks by the golden picture's name
     */
    public static List<Check> worst(Map<String, List<Check>> checks) {
        Map<String, Check> found = new LinkedHashMap<String, Check>();
        for (List<Check> picture : checks.values()) {
            for (Check check : picture) {
                String what = check.stage + " " + check.recognizer;
                Check before = found.get(what);
                if (before == null || excess(check) > excess(before)) {
                    found.put(what, check);
                }
            }
        }
        return new ArrayList<Check>(found.values());
    }

    /** Not a number is the worst that can be. */
    private static double excess(Check check) {
        return Double.isNaN(check.difference) ? Double.POSITIVE_INFINITY : check.difference - check.tolerance;
    }
}
