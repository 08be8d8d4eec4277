package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.junit.Test;

public final class ExtrasTest {
    /** Extras of which one cannot be read. */
    private static Extras.Source source(final Map<String, ?> values, final String bad, final Throwable error) {
        return new Extras.Source() {
            @Override
            public boolean has(String name) {
                return name.equals(bad) || values.containsKey(name);
            }

            @Override
            public Object get(String name) {
                if (name.equals(bad) && error instanceof Error) {
                    throw (Error) error;
                }
                if (name.equals(bad)) {
                    throw (RuntimeException) error;
                }
                return values.get(name);
            }
        };
    }

    @Test
    public void onlyTheNamesAskedForAreRead() throws ProblemException {
        Map<String, Object> read = new HashMap<String, Object>();
        Map<String, Object> sent = new HashMap<String, Object>();
        sent.put("run", "r");
        sent.put("runs", null);
        sent.put("foreign", 1);
        Extras.read(source(sent, "other", new RuntimeException("looked at")), HeadlessRequest.NAMES, read);
        sent.remove("foreign");
        assertEquals(sent, read);
    }

    @Test
    public void whatCannotBeReadRefusesTheRequestAndEndsNothing() {
        Throwable[] errors = {
            new RuntimeException("Parcelable encountered ClassNotFoundException reading a Serializable object"),
            new ClassCastException("x"), new IllegalStateException("x"), new StackOverflowError(),
            new OutOfMemoryError("x"), new NoClassDefFoundError("x"),
        };
        for (Throwable error : errors) {
            Map<String, Object> read = new HashMap<String, Object>();
            Extras.Source source = source(Collections.singletonMap("run", "r-1"), "golden", error);
            try {
                Extras.read(source, HeadlessRequest.NAMES, read);
                fail(String.valueOf(error));
            } catch (ProblemException problem) {
                assertEquals(Problem.BAD_REQUEST, problem.problem);
                assertSame(error, problem.getCause());
                assertTrue(problem.getMessage(), problem.getMessage().startsWith("golden cannot be read: "));
            }
            assertEquals("r-1", HeadlessRequest.idOf(read)); // the report finds the one who waits for it
        }
    }

    @Test
    public void theNameOfTheResultIsReadFirst() {
        assertEquals(
                Arrays.asList("run", "warmup", "runs", "threads", "power_mode", "golden", "recognizer"),
                HeadlessRequest.NAMES);
    }
}
