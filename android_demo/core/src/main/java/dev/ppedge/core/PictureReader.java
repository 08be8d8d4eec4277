package dev.ppedge.core;

import java.io.File;
import java.io.IOException;

/** Decodes a golden picture: BitmapFactory on the phone, ImageIO on a PC. */
public interface PictureReader {
    /**
     * Decodes a PNG file.
     *
     * @throws IOException if it cannot be read
     * @throws BundleException if it is no picture
     */
    Image read(File file) throws IOException, BundleException;
}
