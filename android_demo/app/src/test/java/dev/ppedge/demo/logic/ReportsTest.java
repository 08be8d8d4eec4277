package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;

public final class ReportsTest {
    private static final HeadlessRequest REQUEST = new HeadlessRequest("r1", 3, 20, 2, PowerMode.LOW, "");

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
