package dev.ppedge.core;

import java.io.File;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The header of Paddle Lite's {@code .nb} file ("naive buffer"), meta version 2, and the frame of what follows.
 *
 * <pre>
 * u16 meta version = 2 | char[16] version of opt | u64 size of the topology | topology
 * u16 = 0 | u16 = 0 | u16 = 6 | u16 number of parameters | u32 bytes of the largest
 * for each parameter: u32 size | u32 offset = 4 | size - 4 bytes
 * </pre>
 */
public final class NbHeader {
    /** Bytes of the header; of which {@link #read(byte[], long)} needs no more. */
    public static final int SIZE = 26;

    private static final int META_VERSION = 2;
    private static final Pattern RELEASE = Pattern.compile("\\bv?(\\d{1,3})\\.(\\d{1,3})");

    /** Of opt, as the file says: {@code v2.13-rc}. */
    public final String optVersion;

    /** Bytes of the network's description. */
    public final long topologySize;

    private NbHeader(String optVersion, long topologySize) {
        this.optVersion = optVersion;
        this.topologySize = topologySize;
    }

    /**
     * Reads a file's header and walks over its parts: a file that was cut, or has something behind its end, is refused.
     *
     * @throws BundleException if the file cannot be read, or is not a whole {@code .nb} file of meta version 2
     */
    public static NbHeader read(File file) throws BundleException {
        throw new UnsupportedOperationException();
    }

    /**
     * Reads a header alone.
     *
     * @param head the file's first bytes, {@link #SIZE} or more
     * @param fileSize bytes of the whole file
     * @throws BundleException if this is not the header of a {@code .nb} file of that size
     */
    public static NbHeader read(byte[] head, long fileSize) throws BundleException {
        throw new UnsupportedOperationException();
    }

    /**
     * Compares the opt that wrote the file with a runtime.
     *
     * @param runtimeVersion what {@code PaddlePredictor.getVersion()} says; may be null or empty
     */
    public RuntimeAge ageOf(String runtimeVersion) {
        Matcher written = RELEASE.matcher(optVersion);
        Matcher running = RELEASE.matcher(runtimeVersion == null ? "" : runtimeVersion);
        if (!written.find() || !running.find()) {
            return RuntimeAge.UNKNOWN;
        }
        int difference = number(running) - number(written);
        return difference < 0 ? RuntimeAge.OLDER : difference > 0 ? RuntimeAge.NEWER : RuntimeAge.SAME;
    }

    private static int number(Matcher release) {
        return Integer.parseInt(release.group(1)) * 1000 + Integer.parseInt(release.group(2));
    }
}
