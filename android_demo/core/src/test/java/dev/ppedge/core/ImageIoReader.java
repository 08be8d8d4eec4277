package dev.ppedge.core;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import javax.imageio.ImageIO;

/** Decodes pictures with the JDK's own means. */
final class ImageIoReader implements PictureReader {
    @Override
    public Image read(File file) throws IOException, BundleException {
        BufferedImage image = ImageIO.read(file);
        if (image == null) {
            throw new BundleException(
                    Fault.CONTENT, file.getName(),
                    file.getName() + " is not a picture.", "");
        }
        int width = image.getWidth();
        int height = image.getHeight();
        return Image.fromArgb(width, height, image.getRGB(0, 0, width, height, null, 0, width));
    }
}
