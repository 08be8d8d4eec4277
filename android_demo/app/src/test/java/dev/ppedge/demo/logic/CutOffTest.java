package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public final class CutOffTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    /** A picture of noise: its JPEG has FF bytes and zeros after them in its data. */
    private static byte[] picture(String format, boolean progressive) throws IOException {
        BufferedImage image = new BufferedImage(61, 43, BufferedImage.TYPE_INT_RGB);
        Random random = new Random(7);
        for (int i = 0; i < 61 * 43; i++) {
            image.setRGB(i % 61, i / 61, random.nextInt());
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageWriter writer = ImageIO.getImageWritersByFormatName(format).next();
        ImageWriteParam how = writer.getDefaultWriteParam();
        if (progressive) {
            how.setProgressiveMode(ImageWriteParam.MODE_DEFAULT);
        }
        writer.setOutput(ImageIO.createImageOutputStream(out));
        writer.write(null, new IIOImage(image, null, null), how);
        ((javax.imageio.stream.ImageOutputStream) writer.getOutput()).flush();
        writer.dispose();
        return out.toByteArray();
    }

    private static byte[] webp(int length) {
        byte[] whole = new byte[length];
        System.arraycopy("RIFF".getBytes(), 0, whole, 0, 4);
        whole[4] = (byte) (length - 8);
        System.arraycopy("WEBPVP8 ".getBytes(), 0, whole, 8, 8);
        return whole;
    }

    private boolean isCutOff(byte[] content) throws IOException {
        File file = new File(folder.getRoot(), "picture");
        try (FileOutputStream out = new FileOutputStream(file)) {
            out.write(content);
        }
        return CutOff.is(file);
    }

    @Test
    public void wholePicturesAreWholeAndEveryBeginningOfThemIsNot() throws IOException {
        byte[][] pictures = {picture("jpg", false), picture("jpg", true), picture("png", false), webp(100)};
        for (byte[] whole : pictures) {
            assertFalse(isCutOff(whole));
            for (int length = 12; length < whole.length; length += length < 40 || length > whole.length - 40 ? 1 : 97) {
                assertTrue(length + " of " + whole.length, isCutOff(Arrays.copyOf(whole, length)));
            }
        }
    }

    @Test
    public void whatFollowsAPictureDoesNotMatter() throws IOException {
        for (byte[] whole : new byte[][] {picture("jpg", false), picture("jpg", true), picture("png", false), webp(64)}) {
            byte[] more = Arrays.copyOf(whole, whole.length + 5000);
            Arrays.fill(more, whole.length, more.length, (byte) 0xFF);
            assertFalse(isCutOff(more));
        }
    }

    /** The small picture in a camera's EXIF data has an end of its own. */
    @Test
    public void theEndOfAPictureWithinIsNotItsEnd() throws IOException {
        byte[] whole = picture("jpg", false);
        byte[] within = {(byte) 0xFF, (byte) 0xE1, 0, 8, 1, 2, (byte) 0xFF, (byte) 0xD9, 3, 4};
        byte[] both = new byte[whole.length + within.length];
        System.arraycopy(whole, 0, both, 0, 2);
        System.arraycopy(within, 0, both, 2, within.length);
        System.arraycopy(whole, 2, both, 2 + within.length, whole.length - 2);
        assertFalse(isCutOff(both));
        assertTrue(isCutOff(Arrays.copyOf(both, both.length - 2)));
        assertTrue(isCutOff(Arrays.copyOf(both, 40)));
    }

    @Test
    public void otherFilesAreNotJudged() throws IOException {
        assertFalse(isCutOff("GIF89a and whatever".getBytes()));
        assertFalse(isCutOff(new byte[100]));
        byte[] sound = webp(64);
        sound[8] = 'X';
        assertFalse(isCutOff(Arrays.copyOf(sound, 50)));
        assertEquals(true, isCutOff(new byte[0])); // a file of nothing is not whole, whatever it was to be
    }
}
