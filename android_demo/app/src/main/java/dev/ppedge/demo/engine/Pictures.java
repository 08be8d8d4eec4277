package dev.ppedge.demo.engine;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Matrix;
import android.media.ExifInterface;
import dev.ppedge.core.BundleException;
import dev.ppedge.core.Fault;
import dev.ppedge.core.Image;
import dev.ppedge.core.PictureReader;
import dev.ppedge.demo.logic.CutOff;
import dev.ppedge.demo.logic.ExifTurn;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Sampling;
import java.io.File;
import java.io.IOException;

/** Decoding pictures: within bounds, upright. */
public final class Pictures implements PictureReader {
    private static final int ROWS = 64; // of a strip: no second copy of a whole picture is ever in memory

    /**
     * Decodes a picture of the user's, smaller if it is very large, on white where it is transparent, turned as its EXIF
     * data say.
     *
     * @throws ProblemException BAD_PICTURE or CUT_OFF_PICTURE
     * @throws IOException if the file is not there any more
     */
    static Bitmap decode(File file) throws ProblemException, IOException {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        BitmapFactory.decodeFile(file.getPath(), options);
        if (options.outWidth < 1 || options.outHeight < 1) {
            throw new ProblemException(Problem.BAD_PICTURE, "");
        }
        if (CutOff.is(file)) {
            throw new ProblemException(Problem.CUT_OFF_PICTURE, "");
        }
        options = exact();
        options.inMutable = true; // putOnWhite writes into it
        options.inSampleSize = Sampling.factor(options.outWidth, options.outHeight);
        Bitmap decoded = BitmapFactory.decodeFile(file.getPath(), options);
        if (decoded == null) {
            throw new ProblemException(Problem.BAD_PICTURE, String.valueOf(options.outMimeType));
        }
        if (decoded.hasAlpha()) {
            putOnWhite(decoded);
        }
        ExifTurn turn = ExifTurn.of(orientation(file));
        if (turn.isNone()) {
            return decoded;
        }
        Matrix matrix = new Matrix();
        matrix.setScale(turn.mirrored ? -1 : 1, 1);
        matrix.postRotate(turn.degrees);
        Bitmap upright = Bitmap.createBitmap(decoded, 0, 0, decoded.getWidth(), decoded.getHeight(), matrix, false);
        if (upright != decoded) {
            decoded.recycle();
        }
        return upright;
    }

    /** Colours as the file has them: not scaled to the screen, not multiplied by how opaque they are. */
    private static BitmapFactory.Options exact() {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inScaled = false;
        options.inPremultiplied = false;
        options.inPreferredConfig = Bitmap.Config.ARGB_8888;
        return options;
    }

    /** What is shown is what is read: a transparent picture would be seen on the screen's own colour. */
    private static void putOnWhite(Bitmap bitmap) {
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        int[] strip = new int[width * Math.min(ROWS, height)];
        for (int y = 0; y < height; y += ROWS) {
            int rows = Math.min(ROWS, height - y);
            bitmap.getPixels(strip, 0, width, 0, y, width, rows);
            for (int i = 0; i < width * rows; i++) {
                strip[i] = Image.onWhite(strip[i]);
            }
            bitmap.setPixels(strip, 0, width, 0, y, width, rows);
        }
        bitmap.setHasAlpha(false); // or a canvas would refuse it: it takes premultiplied colours alone
    }

    private static int orientation(File file) {
        try {
            return new ExifInterface(file.getPath()).getAttributeInt(ExifInterface.TAG_ORIENTATION, 1);
        } catch (IOException | RuntimeException error) {
            return 1; // a format without EXIF data, or data that Android's reader stumbles over
        }
    }

    /**
     * Returns a bitmap's colours for the networks, on white where it is transparent.
     *
     * @throws BundleException if it has too many pixels
     */
    static Image image(Bitmap bitmap) throws BundleException {
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        byte[] bgr = new byte[width * height * 3];
        int[] strip = new int[width * Math.min(ROWS, height)];
        for (int y = 0; y < height; y += ROWS) {
            int rows = Math.min(ROWS, height - y);
            bitmap.getPixels(strip, 0, width, 0, y, width, rows);
            Image.putOnWhite(strip, width * rows, bgr, y * width * 3);
        }
        return new Image(width, height, bgr);
    }

    /** A golden picture: pixel by pixel as Python had it. */
    @Override
    public Image read(File file) throws IOException, BundleException {
        Bitmap bitmap = BitmapFactory.decodeFile(file.getPath(), exact());
        if (bitmap == null) {
            throw new BundleException(
                    Fault.CONTENT, file.getName(),
                    file.getName() + " is no picture.", "Make the bundle again.");
        }
        try {
            return image(bitmap);
        } finally {
            bitmap.recycle();
        }
    }
}
