package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import dev.ppedge.core.Box;
import dev.ppedge.core.BundleException;
import dev.ppedge.core.ChainLink;
import dev.ppedge.core.Check;
import dev.ppedge.core.Fault;
import dev.ppedge.core.FileEntry;
import dev.ppedge.core.Line;
import dev.ppedge.core.ModelEntry;
import dev.ppedge.core.Reading;
import dev.ppedge.core.Stage;
import dev.ppedge.core.Statistics;
import dev.ppedge.core.Text;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;

public final class ReportsTest {
    private static final HeadlessRequest REQUEST = new HeadlessRequest("r1", 3, 20, 2, PowerMode.LOW, "", "");

    private static Reading reading(int lines, long... milliseconds) {
        long[] times = new long[Stage.values().length];
        for (int i = 0; i < milliseconds.length; i++) {
            times[i] = milliseconds[i] * 1000000;
        }
        Line line = new Line(new Text("x", 1), new Box(new float[8], 1), false);
        return new Reading(Collections.nCopies(lines, line), times);
    }

    @Test
    public void timesAreByStageAndInAll() throws Exception {
        Map<String, Object> report = new LinkedHashMap<String, Object>();
        Map<String, Statistics> figures =
                Reports.addTimes(report, Arrays.asList(reading(2, 1, 10), reading(2, 3, 20), reading(2, 2, 60)));
        assertEquals(Stage.values().length + 1, figures.size());
        assertEquals(2, figures.get("det_preprocess").p50, 1e-9);
        assertEquals(20, figures.get("det_network").p50, 1e-9);
        assertEquals(0, figures.get("cls").max, 0); // a bundle without a classifier
        assertEquals(23, figures.get(Reports.TOTAL).p50, 1e-9); // of the sums 11, 23, 62
        assertEquals(2, report.get("lines"));
        String json = JsonWriter.write(report);
        assertTrue(json, json.contains(
                "\"det_network\": {\"p50\": 20.0, \"p90\": 52.0, \"min\": 10.0, \"max\": 60.0, \"mean\": 30.0}"));
        assertTrue(json, json.contains("\"total\": {\"p50\": 23.0,"));
    }

    @Test
    public void noReadingIsNoReport() {
        try {
            Reports.addTimes(new LinkedHashMap<String, Object>(), Collections.<Reading>emptyList());
            fail("accepted");
        } catch (BundleException expected) {
            assertTrue(expected.getMessage().contains("No statistics"));
        }
    }

    private static Check check(Stage stage, double difference, String detail) {
        return new Check(stage, "", difference, 1, "pixel", detail);
    }

    @Test
    public void checksAreListedAndAllMustPass() {
        Map<String, List<Check>> checks = new LinkedHashMap<String, List<Check>>();
        checks.put("01", Arrays.asList(check(Stage.CROP, 0.5, "")));
        Map<String, Object> report = new LinkedHashMap<String, Object>();
        assertTrue(Reports.addChecks(report, checks));
        assertEquals(
                "{\"passed\": true, \"checks\": [{\"golden\": \"01\", \"stage\": \"crop\", \"difference\": 0.5, "
                        + "\"tolerance\": 1.0, \"unit\": \"pixel\", \"passed\": true, \"detail\": \"\"}]}",
                JsonWriter.write(report));
        checks.put("02", Arrays.asList(check(Stage.CROP, 1.5, "line 1")));
        assertFalse(Reports.addChecks(report, checks));
        assertEquals(Boolean.FALSE, report.get("passed"));
        assertEquals(2, ((List<?>) report.get("checks")).size());
    }

    @Test
    public void theWorstOfEachStageIsShown() {
        Map<String, List<Check>> checks = new LinkedHashMap<String, List<Check>>();
        checks.put("01", Arrays.asList(check(Stage.CROP, 0.5, "a"), check(Stage.REC_NETWORK, Double.NaN, "b")));
        checks.put("02", Arrays.asList(check(Stage.CROP, 7, "c"), check(Stage.REC_NETWORK, 1e300, "d")));
        checks.put("03", Arrays.asList(check(Stage.CROP, 2, "e"), check(Stage.CLS, 0, "f")));
        List<Check> worst = Reports.worst(checks);
        assertEquals(3, worst.size());
        assertEquals("c", worst.get(0).detail);
        assertEquals("b", worst.get(1).detail); // not a number is worse than any number
        assertEquals("f", worst.get(2).detail);
    }

    @Test
    public void aCheckNamesOneOfSeveralRecognisersAndHidesNoOther() {
        Map<String, List<Check>> checks = new LinkedHashMap<String, List<Check>>();
        checks.put("01", Arrays.asList(
                new Check(Stage.REC_NETWORK, "a", 0.5, 1, "value", ""), new Check(Stage.REC_NETWORK, "b", 7, 1, "value", "x")));
        checks.put("02", Arrays.asList(new Check(Stage.REC_NETWORK, "a", 0.7, 1, "value", "")));
        List<Check> worst = Reports.worst(checks);
        assertEquals(2, worst.size());
        assertEquals(0.7, worst.get(0).difference, 0);
        assertEquals("b", worst.get(1).recognizer);
        Map<String, Object> report = new LinkedHashMap<String, Object>();
        assertFalse(Reports.addChecks(report, checks));
        assertEquals("b", ((Map<?, ?>) ((List<?>) report.get("checks")).get(1)).get("recognizer"));
    }

    @Test
    public void aFaultOfTheCoreIsTheProblemThatItMeans() {
        BundleException error = new BundleException(Fault.CHANGED, "det.nb", "det.nb was changed.", "Copy it again.");
        ProblemException problem = new ProblemException(error);
        assertEquals(Problem.BAD_BUNDLE, problem.problem);
        assertEquals(Fault.CHANGED, problem.fault);
        assertEquals("det.nb", problem.where);
        assertEquals("det.nb was changed. Copy it again.", problem.getMessage());
        assertEquals(error, problem.getCause());
        // A network's output says nothing against the files.
        assertEquals(Problem.NATIVE_FAILURE, Problem.of(Fault.NOT_A_NUMBER));
        assertEquals(Problem.BAD_PICTURE, Problem.of(Fault.SIZE));
    }

    @Test
    public void aModelSaysWhereItComesFrom() {
        String a = String.format("%064d", 1);
        String b = String.format("%064d", 2);
        List<ChainLink> chain = Arrays.asList(new ChainLink("convert", "run", a, b), new ChainLink("train", "run", b, b));
        FileEntry file = new FileEntry("det.nb", 1, a);
        assertEquals(
                "run\nconvert 000000000000\ntrain 000000000000\nrecipe.yml 000000000000",
                Origin.of(new ModelEntry(file, "int8", "v2.13", chain), false));
        assertTrue(Origin.of(new ModelEntry(file, "int8", "v2.13", chain), true).endsWith("\nrecipe.yml " + b));
        assertEquals("", Origin.of(new ModelEntry(file, "int8", "v2.13", Collections.<ChainLink>emptyList()), true));
    }

    @Test
    public void jsonIsAsciiOnOneLine() {
        Map<String, Object> value = new LinkedHashMap<String, Object>();
        value.put("a\"\\\n", "\u5b57\u007f\ud83d\ude00");
        value.put("list", Arrays.<Object>asList(1, 2.5, Double.NaN, Float.POSITIVE_INFINITY, true, null));
        value.put("empty", Arrays.<Object>asList(Collections.emptyMap(), Collections.emptyList()));
        assertEquals(
                "{\"a\\\"\\\\\\u000a\": \"\\u5b57\\u007f\\ud83d\\ude00\", "
                        + "\"list\": [1, 2.5, null, null, true, null], \"empty\": [{}, []]}",
                JsonWriter.write(value));
    }

    @Test
    public void theLogCarriesTheWholeReport() {
        StringBuilder json = new StringBuilder("{\"a\": \"");
        for (int i = 0; i < 10000; i++) {
            json.append((char) ('a' + i % 26));
        }
        json.append("\"}");
        List<String> lines = LogChunks.of("r1", json.toString());
        StringBuilder joined = new StringBuilder();
        for (int i = 0; i < lines.size(); i++) {
            assertTrue(lines.get(i).length() < 4000);
            String head = "ppedge-result r1 " + (i + 1) + "/" + lines.size() + " ";
            assertTrue(lines.get(i).startsWith(head));
            joined.append(lines.get(i).substring(head.length()));
        }
        assertEquals(json.toString(), joined.toString());
        assertEquals(4, lines.size());
        assertEquals(Collections.singletonList("ppedge-result x 1/1 "), LogChunks.of("x", ""));
    }

    @Test
    public void aReportSaysWhatWasAskedAndWhatFailed() {
        Map<String, Object> report =
                Reports.begin(Reports.BENCHMARK, REQUEST, Collections.<String, Object>singletonMap("model", "m"));
        String head = "{\"schema\": 1, \"kind\": \"benchmark\", \"id\": \"r1\", ";
        String rest = "\"device\": {\"model\": \"m\"}, "
                + "\"settings\": {\"threads\": 2, \"power_mode\": \"low\", \"warmup\": 3, \"runs\": 20}}";
        assertEquals(head + "\"status\": \"ok\", \"problem\": null, " + rest, JsonWriter.write(report));
        Reports.fail(report, new ProblemException(Problem.NO_BUNDLE, "manifest.json"));
        assertEquals(
                head + "\"status\": \"failed\", "
                        + "\"problem\": {\"kind\": \"no_bundle\", \"detail\": \"manifest.json\"}, " + rest,
                JsonWriter.write(report));
    }
}
