package dev.ppedge.core;

import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;

/** Reads what {@code tests/android/oracle.py} wrote. */
final class Oracle implements Closeable {
    /** Number of cases. */
    final int cases;

    private final DataInputStream in;

    private Oracle(byte[] data) throws IOException {
        in = new DataInputStream(new ByteArrayInputStream(data));
        cases = in.readInt();
    }

    static File folder() {
        return new File(System.getProperty("ppedge.oracle"));
    }

    static Oracle of(String subject) throws IOException {
        return new Oracle(Files.readAllBytes(new File(folder(), subject).toPath()));
    }

    int whole() throws IOException {
        return in.readInt();
    }

    boolean flag() throws IOException {
        return in.readByte() != 0;
    }

    double real() throws IOException {
        return in.readDouble();
    }

    byte[] bytes(int count) throws IOException {
        byte[] bytes = new byte[count];
        in.readFully(bytes);
        return bytes;
    }

    float[] floats(int count) throws IOException {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = in.readFloat();
        }
        return values;
    }

    int[] wholes(int count) throws IOException {
        int[] values = new int[count];
        for (int i = 0; i < count; i++) {
            values[i] = in.readInt();
        }
        return values;
    }

    Image image(int height, int width) throws Exception {
        return new Image(width, height, bytes(height * width * 3));
    }

    /** Proves that nothing was left unread, so that the two sides agree on the format. */
    @Override
    public void close() throws IOException {
        if (in.read() >= 0) {
            throw new IOException("there is more in the file");
        }
    }
}
