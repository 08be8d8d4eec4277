package dev.ppedge.core;

import java.io.File;

/** A file of a bundle, as its manifest names it. */
public class FileEntry {
    /** Path inside the bundle, with slashes; never absolute, never with {@code ..}. */
    public final String path;

    /** Size. */
    public final long bytes;

    /** 64 hexadecimal digits, lower case. */
    public final String sha256;

    /**
     * @param path inside the bundle
     * @param bytes size
     * @param sha256 64 hexadecimal digits, lower case
     */
    public FileEntry(String path, long bytes, String sha256) {
        this.path = path;
        this.bytes = bytes;
        this.sha256 = sha256;
    }

    /** Returns where the file lies. */
    public File in(File bundle) {
        return new File(bundle, path);
    }

    /**
     * Checks the file's size and hash.
     *
     * @param bundle the folder
     * @return where the file lies
     * @throws BundleException if it is missing, cannot be read, or is not the file that the manifest names
     */
    public File check(File bundle) throws BundleException {
        File file = in(bundle);
        Files.checkFile(file, path, bytes, sha256);
        return file;
    }
}
