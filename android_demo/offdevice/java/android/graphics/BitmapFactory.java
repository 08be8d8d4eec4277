package android.graphics;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import javax.imageio.ImageIO;

/** Decodes pictures by the JDK's means: PNG files in colours as they are, without a smaller size. */
public class BitmapFactory {
    /** How to decode, and what was found. */
    public static class Options {
        public boolean inJustDecodeBounds;
        public boolean inScaled;
        public boolean inMutable;
        public boolean inPremultiplied;
        public int inSampleSize;
        public Bitmap.Config inPreferredConfig;
        public int outWidth;
        public int outHeight;
        public String outMimeType;
    }

    /** Returns null for what is no picture, and where only its size is asked for. */
    public static Bitmap decodeFile(String path, Options options) {
        BufferedImage picture;
        try {
            picture = ImageIO.read(new File(path));
        } catch (IOException error) {
            return null;
        }
        if (picture == null || options.inSampleSize > 1) {
            return null;
        }
        options.outWidth = picture.getWidth();
        options.outHeight = picture.getHeight();
        return options.inJustDecodeBounds ? null : new Bitmap(picture);
    }
}
