package dev.ppedge.core;

/** A picture of 8 bits a channel: blue, green, red, as the networks were trained. */
public final class Image {
    /** Upper bound of width x height: more is refused, so that a wrong number cannot ask for all memory. */
    public static final int MAX_PIXELS = 1 << 26;

    /** In pixels. */
    public final int width;

    /** In pixels. */
    public final int height;

    /** Height x width x 3 values, row by row: B, G, R of a pixel stand together. Not copied. */
    public final byte[] bgr;

    /**
     * @param width in pixels, at least 1
     * @param height in pixels, at least 1
     * @param bgr height x width x 3 values; kept, not copied
     * @throws BundleException if the numbers do not fit each other
     */
    public Image(int width, int height, byte[] bgr) throws BundleException {
        checkSize(width, height);
        if (bgr.length != width * height * 3) {
            throw new BundleException(
                    Fault.SIZE, width + " x " + height,
                    "A picture of " + width + " x " + height + " pixels has " + bgr.length + " bytes, not "
                            + width * height * 3 + ".",
                    "Give three bytes a pixel.");
        }
        this.width = width;
        this.height = height;
        this.bgr = bgr;
    }

    /**
     * Takes the pixels of an Android bitmap and lays them on white; see {@link #putOnWhite}.
     *
     * @param width in pixels
     * @param height in pixels
     * @param argb width x height colours, 0xAARRGGBB, row by row
     * @throws BundleException if the numbers do not fit each other
     */
    public static Image fromArgb(int width, int height, int[] argb) throws BundleException {
        checkSize(width, height);
        if (argb.length != width * height) {
            throw new BundleException(
                    Fault.SIZE, width + " x " + height,
                    "A picture of " + width + " x " + height + " pixels has " + argb.length + " colours.",
                    "Give one colour a pixel.");
        }
        byte[] bgr = new byte[argb.length * 3];
        putOnWhite(argb, argb.length, bgr, 0);
        return new Image(width, height, bgr);
    }

    /**
     * Lays colours on white, rounded to the nearest as Python's {@code on_white} does.
     *
     * @param argb colours, 0xAARRGGBB, not premultiplied
     * @param count how many of them
     * @param bgr where to write B, G, R of each
     * @param at the first value to write
     */
    public static void putOnWhite(int[] argb, int count, byte[] bgr, int at) {
        for (int i = 0, o = at; i < count; i++, o += 3) {
            int colour = onWhite(argb[i]);
            bgr[o] = (byte) colour;
            bgr[o + 1] = (byte) (colour >> 8);
            bgr[o + 2] = (byte) (colour >> 16);
        }
    }

    /**
     * Lays one colour on white, as {@link #putOnWhite} does.
     *
     * @param argb 0xAARRGGBB, not premultiplied
     * @return 0xFFRRGGBB
     */
    public static int onWhite(int argb) {
        int alpha = argb >>> 24;
        int white = 255 * (255 - alpha) + 127; // and half of the divisor
        int blue = ((argb & 255) * alpha + white) / 255;
        int green = ((argb >> 8 & 255) * alpha + white) / 255;
        int red = ((argb >> 16 & 255) * alpha + white) / 255;
        return 0xFF000000 | red << 16 | green << 8 | blue;
    }

    /** Returns width x height opaque colours, 0xFFRRGGBB, row by row, for an Android bitmap. */
    public int[] toArgb() {
        int[] argb = new int[width * height];
        for (int i = 0, o = 0; i < argb.length; i++, o += 3) {
            argb[i] = 0xFF000000 | (bgr[o + 2] & 255) << 16 | (bgr[o + 1] & 255) << 8 | bgr[o] & 255;
        }
        return argb;
    }

    /** Returns this picture turned by 90 degrees counter-clockwise. */
    public Image turnedLeft() throws BundleException {
        byte[] turned = new byte[bgr.length];
        for (int y = 0, from = 0; y < height; y++) {
            for (int x = 0; x < width; x++, from += 3) {
                int to = ((width - 1 - x) * height + y) * 3;
                turned[to] = bgr[from];
                turned[to + 1] = bgr[from + 1];
                turned[to + 2] = bgr[from + 2];
            }
        }
        return new Image(height, width, turned);
    }

    /** Returns this picture upside down: turned by 180 degrees. */
    public Image turnedOver() throws BundleException {
        byte[] turned = new byte[bgr.length];
        for (int from = 0, to = bgr.length - 3; to >= 0; from += 3, to -= 3) {
            turned[to] = bgr[from];
            turned[to + 1] = bgr[from + 1];
            turned[to + 2] = bgr[from + 2];
        }
        return new Image(width, height, turned);
    }

    private static void checkSize(int width, int height) throws BundleException {
        if (width < 1 || height < 1 || (long) width * height > MAX_PIXELS) {
            throw new BundleException(
                    Fault.SIZE, width + " x " + height,
                    "A picture cannot have " + width + " x " + height + " pixels.",
                    "Between 1 and " + MAX_PIXELS + " pixels are possible.");
        }
    }
}
