package android.graphics;

import java.awt.image.BufferedImage;

/** A picture of the JDK's. */
public class Bitmap {
    /** How a pixel is kept. */
    public enum Config {
        ARGB_8888
    }

    final BufferedImage picture;

    Bitmap(BufferedImage picture) {
        this.picture = picture;
    }

    public int getWidth() {
        return picture.getWidth();
    }

    public int getHeight() {
        return picture.getHeight();
    }

    public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        picture.getRGB(x, y, width, height, pixels, offset, stride);
    }

    public void setPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        picture.setRGB(x, y, width, height, pixels, offset, stride);
    }

    public boolean hasAlpha() {
        return picture.getColorModel().hasAlpha();
    }

    public void setHasAlpha(boolean alpha) {}

    public void recycle() {}

    public static Bitmap createBitmap(
            Bitmap source, int x, int y, int width, int height, Matrix matrix, boolean filter) {
        throw new UnsupportedOperationException("pictures are upright here");
    }
}
