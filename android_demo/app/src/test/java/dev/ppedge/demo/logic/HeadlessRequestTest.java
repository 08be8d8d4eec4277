package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.HashMap;
import java.util.Map;
import org.junit.Test;

public final class HeadlessRequestTest {
    private static Map<String, Object> extras(Object... pairs) {
        Map<String, Object> extras = new HashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) {
            extras.put((String) pairs[i], pairs[i + 1]);
        }
        return extras;
    }

    @Test
    public void anIntentOfTheLauncherAsksForNothing() throws ProblemException {
        assertNull(HeadlessRequest.parse(null));
        assertNull(HeadlessRequest.parse(extras("profile", 0)));
    }

    @Test
    public void whatIsNotSaidHasAValue() throws ProblemException {
        HeadlessRequest request = HeadlessRequest.parse(extras("run", "a-1"));
        assertEquals("a-1", request.id);
        assertEquals(3, request.warmup);
        assertEquals(20, request.runs);
        assertEquals(1, request.threads);
        assertEquals(PowerMode.HIGH, request.powerMode);
        assertEquals("", request.golden);
        assertEquals("", request.recognizer);
    }

    @Test
    public void numbersComeAsNumbersOrTexts() throws ProblemException {
        HeadlessRequest request = HeadlessRequest.parse(extras(
                "run", "x", "warmup", 0, "runs", "7", "threads", 8L, "power_mode", "no_bind", "golden", "02", "recognizer", "en"));
        assertEquals(0, request.warmup);
        assertEquals(7, request.runs);
        assertEquals(8, request.threads);
        assertEquals(PowerMode.NO_BIND, request.powerMode);
        assertEquals("02", request.golden);
        assertEquals("en", request.recognizer);
    }

    @Test
    public void whatIsImpossibleIsNamed() {
        Object[][] wrong = {
            {"run", "../../x"}, {"run", ""}, {"run", 5}, {"run", null}, {"run", "a.json"},
            {"warmup", -1}, {"warmup", 1001}, {"runs", 0}, {"runs", "many"}, {"runs", null}, {"runs", 2.5},
            {"threads", 0}, {"threads", 9}, {"power_mode", "turbo"}, {"power_mode", 1}, {"golden", 1}, {"recognizer", 1},
        };
        for (Object[] pair : wrong) {
            Map<String, Object> extras = extras("run", "x");
            extras.put((String) pair[0], pair[1]);
            try {
                HeadlessRequest.parse(extras);
                fail(pair[0] + " = " + pair[1]);
            } catch (ProblemException error) {
                assertEquals(Problem.BAD_REQUEST, error.problem);
                assertTrue(error.getMessage(), error.getMessage().startsWith(pair[0] + " = " + pair[1] + ", possible"));
            }
        }
    }

    @Test
    public void aRefusedRequestLeavesItsReportUnderItsOwnName() {
        assertEquals("r-1", HeadlessRequest.idOf(extras("run", "r-1", "runs", 0)));
        assertEquals("refused", HeadlessRequest.idOf(extras("run", "../x")));
        assertEquals("refused", HeadlessRequest.idOf(extras("run", 5)));
        assertEquals("refused", HeadlessRequest.idOf(extras()));
    }
}
