package dev.ppedge.demo.logic;

import java.io.ByteArrayInputStream;
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
    /** A file cannot be written: the storage is full, or not there. Whatever else fails is what is read. */
    public static final class WriteException extends IOException {
        private static final long serialVersionUID = 1L;

        WriteException(String target, IOException cause) {
            super(target + " cannot be written: " + cause.getMessage(), cause);
        }
    }

    private Streams() {}

    /**
     * Reads a stream to its end.
     *
     * @throws IOException if it cannot be read, or has more bytes than {@code limit}
     */
    public static byte[] read(InputStream in, long limit) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copy(in, out, "memory", limit);
        return out.toByteArray();
    }

    /**
     * Writes a stream into a file and onto the disk.
     *
     * @throws WriteException if the file cannot be written
     * @throws IOException if the stream cannot be read, or has more bytes than {@code limit}
     */
    public static void write(InputStream in, File file, long limit) throws IOException {
        try (FileOutputStream out = open(file)) {
            copy(in, out, file.getName(), limit);
            sync(file, out);
        }
    }

    /**
     * Writes a file so that it is there whole or not at all.
     *
     * @throws WriteException if it cannot be written; then one that was there before is still there
     */
    public static void writeWhole(File file, byte[] content) throws WriteException {
        File half = new File(file.getPath() + ".half");
        try {
            write(new ByteArrayInputStream(content), half, content.length);
            rename(half, file);
        } catch (WriteException error) {
            delete(half);
            throw error;
        } catch (IOException error) {
            throw new IllegalStateException("bytes in memory can be read", error);
        }
    }

    /**
     * Gives a file or a folder its name.
     *
     * @throws WriteException if it cannot have it
     */
    public static void rename(File from, File to) throws WriteException {
        if (!from.renameTo(to)) {
            throw new WriteException(to.getName(), new IOException("it cannot be replaced"));
        }
    }

    private static FileOutputStream open(File file) throws WriteException {
        try {
            return new FileOutputStream(file);
        } catch (IOException error) {
            throw new WriteException(file.getName(), error);
        }
    }

    private static void sync(File file, FileOutputStream out) throws WriteException {
        try {
            out.getFD().sync();
        } catch (IOException error) {
            throw new WriteException(file.getName(), error);
        }
    }

    private static void copy(InputStream in, OutputStream out, String target, long limit) throws IOException {
        byte[] buffer = new byte[1 << 16];
        long size = 0;
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            size += n;
            if (size > limit) {
                throw new IOException("more than " + limit + " bytes");
            }
            try {
                out.write(buffer, 0, n);
            } catch (IOException error) {
                throw new WriteException(target, error);
            }
        }
    }

    /**
     * Makes a folder and those above it.
     *
     * @throws WriteException if it cannot be made
     */
    public static void makeFolder(File folder) throws WriteException {
        if (!folder.mkdirs() && !folder.isDirectory()) {
            throw new WriteException(folder.getName(), new IOException("no folder can be made"));
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
