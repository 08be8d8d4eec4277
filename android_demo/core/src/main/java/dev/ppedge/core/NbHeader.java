package dev.ppedge.core;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.Charset;
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
    private static final long MAX_BYTES = 1L << 30; // no model of this kind comes near
    private static final int PARAMETERS_SIZE = 12;
    private static final int PARAMETER_SIZE = 8;
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
        String name = file.getName();
        try (RandomAccessFile in = new RandomAccessFile(file, "r")) {
            long size = in.length();
            byte[] head = new byte[(int) Math.min(SIZE, size)];
            in.readFully(head);
            NbHeader header = read(head, size);
            walk(in, SIZE + header.topologySize, size);
            return header;
        } catch (IOException error) {
            throw Files.unreadable(name, error);
        } catch (BundleException error) {
            throw new BundleException(
                    error.fault(), name,
                    name + ": " + error.getMessage(), error.hint(), error);
        }
    }

    /** Steps over the parameters, whose sizes must add up to the end of the file. */
    private static void walk(RandomAccessFile in, long begin, long size) throws IOException, BundleException {
        byte[] frame = part(in, begin, PARAMETERS_SIZE, size);
        if (number(frame, 0, 2) != 0 || number(frame, 2, 2) != 0 || number(frame, 4, 2) != 6) {
            throw damaged("the header of its parameters, at byte " + begin + ", is not understood");
        }
        long count = number(frame, 6, 2);
        long at = begin + PARAMETERS_SIZE;
        for (long i = 0; i < count; i++) {
            byte[] parameter = part(in, at, PARAMETER_SIZE, size);
            long length = number(parameter, 0, 4);
            if (number(parameter, 4, 4) != 4 || length < 4) {
                throw damaged("parameter " + (i + 1) + " of " + count + ", at byte " + at + ", is not understood");
            }
            at += 4 + length;
        }
        if (at != size) {
            throw damaged("its parts end at byte " + at + ", the file at " + size);
        }
    }

    private static byte[] part(RandomAccessFile in, long at, int length, long size)
            throws IOException, BundleException {
        if (at + length > size) {
            throw damaged("the file ends at byte " + size + ", in the middle of its parameters");
        }
        byte[] part = new byte[length];
        in.seek(at);
        in.readFully(part);
        return part;
    }

    /**
     * Reads a header alone.
     *
     * @param head the file's first bytes, {@link #SIZE} or more
     * @param fileSize bytes of the whole file
     * @throws BundleException if this is not the header of a {@code .nb} file of that size
     */
    public static NbHeader read(byte[] head, long fileSize) throws BundleException {
        if (fileSize > MAX_BYTES || head.length < 2 || number(head, 0, 2) != META_VERSION) {
            throw damaged("it does not begin like one");
        }
        if (head.length < SIZE || fileSize < SIZE) {
            throw damaged("it ends in its header");
        }
        int end = 2;
        while (end < 18 && head[end] != 0) {
            if (head[end] <= ' ' || head[end] == 127) {
                throw damaged("its header names no version of opt");
            }
            end++;
        }
        if (end == 2) {
            throw damaged("its header names no version of opt");
        }
        long topologySize = number(head, 18, 8);
        if (topologySize < 0 || topologySize > fileSize - SIZE) {
            throw damaged("its topology would end beyond the file's " + fileSize + " bytes");
        }
        return new NbHeader(new String(head, 2, end - 2, Charset.forName("US-ASCII")), topologySize);
    }

    /** An unsigned number, lowest byte first. */
    private static long number(byte[] bytes, int at, int count) {
        long number = 0;
        for (int i = count - 1; i >= 0; i--) {
            number = number << 8 | bytes[at + i] & 255;
        }
        return number;
    }

    private static BundleException damaged(String problem) {
        return new BundleException(
                Fault.CONTENT, ".nb",
                "not a whole .nb file of meta version " + META_VERSION + ": " + problem + ".",
                "Copy the bundle again, or convert the model again.");
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
        int difference = release(running) - release(written);
        return difference < 0 ? RuntimeAge.OLDER : difference > 0 ? RuntimeAge.NEWER : RuntimeAge.SAME;
    }

    private static int release(Matcher release) {
        return Integer.parseInt(release.group(1)) * 1000 + Integer.parseInt(release.group(2));
    }
}
