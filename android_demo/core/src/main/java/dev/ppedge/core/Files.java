package dev.ppedge.core;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Reading a bundle's files within bounds. */
public final class Files {
    private Files() {}

    /**
     * Reads a whole file.
     *
     * @param what its name, for the error
     * @param limit in bytes; a larger file is refused
     * @throws BundleException if it is missing, too large, or cannot be read
     */
    public static byte[] read(File file, String what, long limit) throws BundleException {
        if (file.length() > limit) {
            throw new BundleException(
                    Fault.CONTENT, what,
                    what + " has " + file.length() + " bytes, more than the " + limit + " that are possible.",
                    "Make the bundle again.");
        }
        try (InputStream in = new FileInputStream(file)) {
            ByteArrayOutputStream out = new ByteArrayOutputStream((int) Math.min(limit, file.length()));
            copy(in, out, limit, what);
            return out.toByteArray();
        } catch (IOException error) {
            throw unreadable(what, error);
        }
    }

    /**
     * Reads a stream to its end.
     *
     * @throws BundleException if there is more than {@code limit}
     */
    static void copy(InputStream in, ByteArrayOutputStream out, long limit, String what)
            throws IOException, BundleException {
        byte[] buffer = new byte[1 << 16];
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            if (out.size() + (long) n > limit) {
                throw new BundleException(
                        Fault.CONTENT, what,
                        what + " is larger than the " + limit + " bytes that are possible.", "Make the bundle again.");
            }
            out.write(buffer, 0, n);
        }
    }

    /**
     * Returns a file's SHA-256, 64 hexadecimal digits.
     *
     * @param what its name, for the error
     * @throws BundleException if it cannot be read
     */
    public static String sha256(File file, String what) throws BundleException {
        try (InputStream in = new FileInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
            StringBuilder hex = new StringBuilder(64);
            for (byte part : digest.digest()) {
                hex.append(Character.forDigit(part >> 4 & 15, 16)).append(Character.forDigit(part & 15, 16));
            }
            return hex.toString();
        } catch (IOException error) {
            throw unreadable(what, error);
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every Java has SHA-256", error);
        }
    }

    static void checkFile(File file, String what, long bytes, String sha256) throws BundleException {
        if (!file.isFile()) {
            throw new BundleException(
                    Fault.MISSING, what,
                    what + " is not in the bundle.", "Copy the bundle again, whole.");
        }
        if (file.length() != bytes) {
            throw new BundleException(
                    Fault.CHANGED, what,
                    what + " has " + file.length() + " bytes, the manifest says " + bytes + ".",
                    "Copy the bundle again, whole.");
        }
        if (!sha256(file, what).equals(sha256)) {
            throw new BundleException(
                    Fault.CHANGED, what,
                    what + " was changed: its SHA-256 is not the manifest's.", "Copy it again.");
        }
    }

    static BundleException unreadable(String what, IOException error) {
        return new BundleException(
                Fault.MISSING, what,
                what + " cannot be read: " + error.getMessage() + ".", "Copy it again.", error);
    }
}
