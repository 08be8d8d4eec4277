package dev.ppedge.demo.logic;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.junit.Assume;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public final class StreamsTest {
    private static final File FULL = new File("/dev/full"); // a disk without space

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private static InputStream bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return new ByteArrayInputStream(bytes);
    }

    private static byte[] read(File file) throws IOException {
        try (InputStream in = new FileInputStream(file)) {
            return Streams.read(in, 1 << 20);
        }
    }

    @Test
    public void whatIsWrittenIsRead() throws IOException {
        File file = new File(folder.getRoot(), "a");
        Streams.write(bytes(1, 2, 255), file, 3);
        assertArrayEquals(new byte[] {1, 2, -1}, read(file));
        Streams.writeWhole(file, new byte[] {7});
        assertArrayEquals(new byte[] {7}, read(file));
        assertEquals(1, folder.getRoot().list().length);
    }

    @Test
    public void aFullStorageIsToldFromAStreamThatCannotBeRead() throws IOException {
        Assume.assumeTrue(FULL.exists());
        try {
            Streams.write(bytes(1), FULL, 1);
            fail("written");
        } catch (Streams.WriteException expected) {
            assertTrue(expected.getMessage(), expected.getMessage().startsWith("full cannot be written: "));
        }
    }

    @Test
    public void aFileThatCannotBeOpenedIsToldToo() throws IOException {
        try {
            Streams.write(bytes(1), new File(folder.getRoot(), "no/such"), 1);
            fail("written");
        } catch (Streams.WriteException expected) {
            assertTrue(expected.getMessage(), expected.getMessage().startsWith("such cannot be written: "));
        }
        try {
            Streams.makeFolder(new File(folder.newFile("file"), "below"));
            fail("made");
        } catch (Streams.WriteException expected) {
            assertTrue(expected.getMessage(), expected.getMessage().startsWith("below cannot be written: "));
        }
    }

    @Test
    public void whatCannotBeReadIsNotTheStoragesFault() {
        InputStream torn = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("the other app is gone");
            }
        };
        for (InputStream in : new InputStream[] {torn, bytes(1, 2, 3)}) {
            try {
                Streams.write(in, new File(folder.getRoot(), "b"), 2);
                fail("written");
            } catch (IOException expected) {
                assertFalse(expected instanceof Streams.WriteException);
            }
        }
    }

    @Test
    public void whatCannotBeReplacedStays() throws IOException {
        File taken = folder.newFolder("report.json");
        new File(taken, "inside").createNewFile(); // a folder with something in it gives its name to nobody
        try {
            Streams.writeWhole(taken, new byte[] {7});
            fail("written");
        } catch (Streams.WriteException expected) {
            assertTrue(taken.isDirectory());
        }
        assertEquals(1, folder.getRoot().list().length); // no half is left
    }
}
