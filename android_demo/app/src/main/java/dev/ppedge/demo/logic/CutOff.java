package dev.ppedge.demo.logic;

import java.io.EOFException;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/**
 * Whether a picture's file ends before the picture does. Android fills the rest up with grey and says nothing, so that text
 * would be missing without a word; the toolkit refuses such files too.
 *
 * <p>After ITU-T T.81 (JPEG), the PNG specification and the WebP container specification. What follows a whole picture, as
 * cameras append films, does not matter.
 */
public final class CutOff {
    private static final int JPEG_END = 0xD9;
    private static final long PNG = 0x89504E470D0A1A0AL;
    private static final int PNG_END = 0x49454E44; // IEND
    private static final int RIFF = 0x52494646;
    private static final int WEBP = 0x57454250;

    private final InputStream in;
    private final byte[] buffer = new byte[1 << 16];
    private int at;
    private int end;

    private CutOff(InputStream in) {
        this.in = in;
    }

    /**
     * Looks through a file.
     *
     * @return false also for a file that is none of these kinds: decoding tells what it is
     * @throws IOException if it cannot be read
     */
    public static boolean is(File file) throws IOException {
        try (InputStream in = new FileInputStream(file)) {
            return new CutOff(in).isCutOff(file.length());
        }
    }

    private boolean isCutOff(long length) throws IOException {
        try {
            int first = number();
            if (first >>> 16 == 0xFFD8) {
                at -= 2;
                readJpeg();
            } else if (first == (int) (PNG >>> 32) && number() == (int) PNG) {
                readPng();
            } else if (first == RIFF) {
                long size = Integer.reverseBytes(number()) & 0xFFFFFFFFL;
                return number() == WEBP && size + 8 > length;
            }
            return false;
        } catch (EOFException error) {
            return true;
        }
    }

    /** From marker to marker; what lies between them, the data of scans as well, is passed over. */
    private void readJpeg() throws IOException {
        while (true) {
            int marker = next();
            while (marker != 0xFF) {
                marker = next();
            }
            while (marker == 0xFF) {
                marker = next(); // any number of these may stand before a marker
            }
            if (marker == JPEG_END) {
                return;
            }
            // A 0 stands after each FF in a scan's data that is no marker; markers of restarts have no content either.
            boolean alone = marker <= 1 || marker >= 0xD0 && marker < JPEG_END;
            if (!alone) {
                skip((next() << 8 | next()) - 2);
            }
        }
    }

    private void readPng() throws IOException {
        int kind;
        do {
            long size = number() & 0xFFFFFFFFL;
            kind = number();
            skip(size + 4); // and a checksum
        } while (kind != PNG_END);
    }

    private int number() throws IOException {
        return next() << 24 | next() << 16 | next() << 8 | next();
    }

    private int next() throws IOException {
        if (at == end) {
            fill();
        }
        return buffer[at++] & 255;
    }

    private void skip(long count) throws IOException {
        long left = count;
        while (left > 0) {
            if (at == end) {
                fill();
            }
            int step = (int) Math.min(left, end - at);
            at += step;
            left -= step;
        }
    }

    private void fill() throws IOException {
        end = in.read(buffer);
        at = 0;
        if (end <= 0) {
            end = 0;
            throw new EOFException();
        }
    }
}
