package dev.ppedge.demo.logic;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Streams and files, within bounds. */
public final class Streams {
    private Streams() {}

    /**
     * Reads a stream to its end.
     *
     * @throws IOException if it cannot be read, or has more bytes than {@code limit}
     */
    public static byte[] read(InputStream in, long limit) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copy(in, out, limit);
        return out.toByteArray();
    }

    /**
     * Writes a stream into a file and onto the disk.
     *
     * @throws IOException if one of them fails, or the stream has more bytes than {@code limit}
     */
    public static void write(InputStream in, File file, long limit) throws IOException {
        try (FileOutputStream out = new FileOutputStream(file)) {
            copy(in, out, limit);
            out.getFD().sync();
        }
    }

    /**
     * Writes a file so that it is there whole or not at all.
     *
     * @throws IOException if it cannot be written
     */
    public static void writeWhole(File file, byte[] content) throws IOException {
        File half = new File(file.getPath() + ".half");
        try (FileOutputStream out = new FileOutputStream(half)) {
            out.write(content);
            out.getFD().sync();
        }
        if (!half.renameTo(file)) {
            delete(half);
            throw new IOException(file + " cannot be replaced");
        }
    }

    private static void copy(InputStream in, OutputStream out, long limit) throws IOException {
        byte[] buffer = new byte[1 << 16];
        long size = 0;
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            size += n;
            if (size > limit) {
                throw new IOException("more than " + limit + " bytes");
            }
            out.write(buffer, 0, n);
        }
    }

    /**
     * Makes a folder and those above it.
     *
     * @throws IOException if it cannot be made
     */
    public static void makeFolder(File folder) throws IOException {
        if (!folder.mkdirs() && !folder.isDirectory()) {
            throw new IOException(folder + " cannot be made");
        }
    }

    /** Deletes a file or a folder with all that is in it, as far as possible. */
    public static void delete(File file) {
        File[] inside = file.listFiles();
        for (File part : inside == null ? new File[0] : inside) {
            delete(part);
        }
        file.delete();
    }

    /** Returns the SHA-256 of bytes, 64 hexadecimal digits. */
    public static String sha256(byte[] bytes) {
        try {
            StringBuilder hex = new StringBuilder();
            for (byte part : MessageDigest.getInstance("SHA-256").digest(bytes)) {
                hex.append(Character.forDigit(part >> 4 & 15, 16)).append(Character.forDigit(part & 15, 16));
            }
            return hex.toString();
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every Java has SHA-256", error);
        }
    }
}
