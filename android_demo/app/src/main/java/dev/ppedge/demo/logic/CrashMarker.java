package dev.ppedge.demo.logic;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;

/**
 * Says at the next start what native code was doing when the process died, which Java cannot catch.
 *
 * <p>A file holds the length of a text and the text; the length is 0 when no native code runs. It is opened once and
 * written in place, without a flush to the disk: what is written survives the process, and costs microseconds where
 * making and deleting a file for every line of text would cost more than some networks.
 */
public final class CrashMarker implements Closeable {
    private static final int LONGEST = 512;

    private final RandomAccessFile file;
    private final String pending;

    /**
     * Opens the marker and keeps what an earlier process left in it.
     *
     * @param path made if it is not there
     * @throws IOException if it cannot be read or written
     */
    public CrashMarker(File path) throws IOException {
        file = new RandomAccessFile(path, "rw");
        try {
            pending = readPending();
        } catch (IOException error) {
            file.close();
            throw error;
        }
    }

    private String readPending() throws IOException {
        if (file.length() < 2) {
            return null;
        }
        int length = file.readUnsignedShort();
        byte[] text = new byte[(int) Math.min(Math.min(length, LONGEST), file.length() - 2)];
        file.readFully(text);
        return length == 0 ? null : new String(text, StandardCharsets.UTF_8);
    }

    /** Returns what native code was doing when the earlier process died; null if it ended well. */
    public String pending() {
        return pending;
    }

    /**
     * Marks the start of a native call.
     *
     * @param what what it does, with which file; cut to 512 bytes
     * @throws IOException if it cannot be written
     */
    public void begin(String what) throws IOException {
        byte[] text = what.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(text.length, LONGEST);
        byte[] record = new byte[length + 2];
        record[0] = (byte) (length >> 8);
        record[1] = (byte) length;
        System.arraycopy(text, 0, record, 2, length);
        write(record);
    }

    /**
     * Marks its end.
     *
     * @throws IOException if it cannot be written
     */
    public void end() throws IOException {
        write(new byte[2]);
    }

    private void write(byte[] record) throws IOException {
        file.seek(0);
        file.write(record);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
