package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Arrays;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public final class CrashMarkerTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    private File path;

    /** Dies as an abort in native code dies: no finally, no shutdown hook, nothing closed. */
    public static final class Dies {
        public static void main(String[] arguments) throws IOException {
            CrashMarker marker = new CrashMarker(new File(arguments[0]));
            marker.begin("loading a.nb");
            marker.end();
            if (arguments.length > 1) {
                marker.begin(arguments[1]);
            }
            Runtime.getRuntime().halt(134);
        }
    }

    @Before
    public void name() {
        path = new File(folder.getRoot(), "native-call");
    }

    private String pending() throws IOException {
        try (CrashMarker marker = new CrashMarker(path)) {
            return marker.pending();
        }
    }

    private void die(String... during) throws Exception {
        String[] command = {
            System.getProperty("java.home") + "/bin/java", "-cp", System.getProperty("java.class.path"),
            Dies.class.getName(), path.getPath(), during.length == 0 ? "" : during[0]
        };
        int words = command.length - (during.length == 0 ? 1 : 0);
        ProcessBuilder builder = new ProcessBuilder(Arrays.copyOf(command, words));
        assertEquals(134, builder.inheritIO().start().waitFor());
    }

    @Test
    public void firstStartHasNoReport() throws IOException {
        assertNull(pending());
    }

    @Test
    public void deathInANativeCallIsReportedUntilTheNextCallEnds() throws Exception {
        die("running rec.nb on [1, 3, 32, 320] \u5b57");
        assertEquals("running rec.nb on [1, 3, 32, 320] \u5b57", pending());
        assertEquals("running rec.nb on [1, 3, 32, 320] \u5b57", pending());
        try (CrashMarker marker = new CrashMarker(path)) {
            marker.begin("x");
            marker.end();
        }
        assertNull(pending());
    }

    @Test
    public void deathElsewhereIsNotReported() throws Exception {
        die();
        assertNull(pending());
    }

    @Test
    public void aShorterTextLeavesNothingOfALongerOne() throws IOException {
        try (CrashMarker marker = new CrashMarker(path)) {
            marker.begin("a long text");
            marker.begin("b");
        }
        assertEquals("b", pending());
    }

    @Test
    public void anEndlessTextIsCut() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 100000; i++) {
            text.append('x');
        }
        try (CrashMarker marker = new CrashMarker(path)) {
            marker.begin(text.toString());
        }
        assertEquals(512, pending().length());
    }

    @Test
    public void aDamagedFileIsReadAsFarAsItGoes() throws IOException {
        byte[][] contents = {{}, {1}, {0, 0, 65}, {(byte) 255, (byte) 255, 65}};
        String[] expected = {null, null, null, "A"};
        for (int i = 0; i < contents.length; i++) {
            try (FileOutputStream out = new FileOutputStream(path)) {
                out.write(contents[i]);
            }
            assertEquals(expected[i], pending());
        }
    }
}
