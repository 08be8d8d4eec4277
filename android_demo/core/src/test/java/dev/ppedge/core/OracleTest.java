package dev.ppedge.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.Test;

/** Random input: the same results as Python's, most to the bit. */
public final class OracleTest {
    @Test
    public void resizeIsOpenCvs() throws Exception {
        try (Oracle oracle = Oracle.of("resizes")) {
            for (int i = 0; i < oracle.cases; i++) {
                int[] size = oracle.wholes(4);
                Image scaled = Resize.linear(oracle.image(size[0], size[1]), size[3], size[2]);
                assertArrayEquals("case " + i, oracle.bytes(size[2] * size[3] * 3), scaled.bgr);
            }
        }
    }

    @Test
    public void coloursAreLaidOnWhiteAsInPython() throws Exception {
        try (Oracle oracle = Oracle.of("colours")) {
            for (int i = 0; i < oracle.cases; i++) {
                int[] size = oracle.wholes(2);
                Image image = Image.fromArgb(size[1], size[0], oracle.wholes(size[0] * size[1]));
                assertArrayEquals("case " + i, oracle.bytes(size[0] * size[1] * 3), image.bgr);
            }
        }
    }

    @Test
    public void transparentFilesAreReadAsInPython() throws Exception {
        File file = File.createTempFile("transparent", ".png");
        try (Oracle oracle = Oracle.of("transparent_files")) {
            for (int i = 0; i < oracle.cases; i++) {
                java.nio.file.Files.write(file.toPath(), oracle.bytes(oracle.whole()));
                int[] size = oracle.wholes(2);
                Image image = new ImageIoReader().read(file);
                assertEquals("case " + i, size[0], image.height);
                assertArrayEquals("case " + i, oracle.bytes(size[0] * size[1] * 3), image.bgr);
            }
        } finally {
            assertTrue(file.delete());
        }
    }

    @Test
    public void cropIsOpenCvs() throws Exception {
        assertCropsAreAlike("crops");
    }

    @Test
    public void cropOfSidesThatMeetInTheOriginIsAlike() throws Exception {
        assertCropsAreAlike("meeting_crops");
    }

    private static void assertCropsAreAlike(String subject) throws Exception {
        int different = 0;
        try (Oracle oracle = Oracle.of(subject)) {
            for (int i = 0; i < oracle.cases; i++) {
                int height = oracle.whole();
                Image picture = oracle.image(height, oracle.whole());
                Image crop = Crop.cut(picture, oracle.floats(8), 1.5);
                int[] size = oracle.wholes(2);
                Image wanted = oracle.image(size[0], size[1]);
                Difference difference = new Difference(Stage.CROP, "", SelfTest.CROP_TOLERANCE, "level");
                difference.pictures(crop, wanted, "case " + i);
                assertTrue(difference.check().detail + ": " + difference.check().difference, difference.check().passed());
                different += difference.check().difference > 0 ? 1 : 0;
            }
            assertEquals("crops that differ by a level somewhere", 0, different);
        }
    }

    @Test
    public void rectanglesAreOpenCvs() throws Exception {
        int others = 0;
        try (Oracle oracle = Oracle.of("rectangles")) {
            for (int i = 0; i < oracle.cases; i++) {
                Rectangle got = Calipers.minAreaRectangle(oracle.wholes(2 * oracle.whole()));
                float[] wanted = oracle.floats(5);
                float area = wanted[2] * wanted[3];
                assertEquals("area of case " + i, area, got.width * got.height, 0.001 + 1e-5 * area);
                others += farthest(Quad.ordered(oracle.floats(8)), Quad.ordered(got.corners())) > 0.001 ? 1 : 0;
            }
            System.out.println("rectangles: " + others + " of " + oracle.cases + " are others of the same area");
            assertTrue(others + " are others", others < oracle.cases / 100);
        }
    }

    /** Largest difference of a coordinate. */
    private static double farthest(float[] one, float[] other) {
        double largest = 0;
        for (int i = 0; i < 8; i++) {
            largest = Math.max(largest, Math.abs(one[i] - other[i]));
        }
        return largest;
    }

    @Test
    public void boxesAreOpenCvs() throws Exception {
        int boxes = 0;
        double corner = 0;
        double score = 0;
        try (Oracle oracle = Oracle.of("masks")) {
            assertTrue(oracle.cases >= 200);
            for (int i = 0; i < oracle.cases; i++) {
                int[] n = oracle.wholes(7);
                boolean dilation = oracle.flag();
                boolean slow = oracle.flag();
                DbSpec spec = new DbSpec(
                        oracle.real(), oracle.real(), n[4], oracle.real(), n[5], n[6], dilation, slow);
                float[] map = oracle.floats(n[0] * n[1]);
                List<Box> got = DbPostprocess.boxes(map, n[0], n[1], n[2], n[3], spec);
                assertEquals("boxes of case " + i, oracle.whole(), got.size());
                for (Box box : got) {
                    corner = Math.max(corner, farthest(oracle.floats(8), box.quad));
                    score = Math.max(score, Math.abs(oracle.real() - box.score));
                    boxes++;
                }
            }
        }
        System.out.println("boxes: " + boxes + ", largest difference " + corner + " pixels, of a score " + score);
        assertTrue(boxes + " boxes", boxes > 300);
        assertEquals(0, corner, 0.001);
        assertEquals(0, score, 1e-9);
    }

    @Test
    public void readingOrderIsPythons() throws Exception {
        try (Oracle oracle = Oracle.of("orders")) {
            for (int i = 0; i < oracle.cases; i++) {
                int count = oracle.whole();
                List<Box> boxes = new ArrayList<Box>();
                for (int k = 0; k < count; k++) {
                    boxes.add(new Box(oracle.floats(8), k));
                }
                List<Box> sorted = ReadingOrder.sort(boxes, 10);
                for (int k = 0; k < count; k++) {
                    assertEquals("case " + i + ", place " + k, oracle.whole(), (int) sorted.get(k).score);
                }
            }
        }
    }

    @Test
    public void textsArePythons() throws Exception {
        byte[] file = Files.read(new File(Oracle.folder(), "characters.txt"), "characters.txt", 1000);
        CharacterSet characters = CharacterSet.read(file, "characters.txt");
        try (Oracle oracle = Oracle.of("texts")) {
            for (int i = 0; i < oracle.cases; i++) {
                int steps = oracle.whole();
                int classes = oracle.whole();
                Text got = CtcDecoder.decode(oracle.floats(steps * classes), steps, classes, characters);
                assertEquals("case " + i, new String(oracle.bytes(oracle.whole()), StandardCharsets.UTF_8), got.text);
                assertEquals("case " + i, oracle.real(), got.score, 1e-12);
            }
        }
    }

    @Test
    public void detectorSizesArePythons() throws Exception {
        double[] three = {1, 1, 1};
        try (Oracle oracle = Oracle.of("sizes")) {
            for (int i = 0; i < oracle.cases; i++) {
                int[] n = oracle.wholes(6);
                DetPreprocess spec = new DetPreprocess(n[2], n[3] == 1, n[4], n[5], three, three);
                assertArrayEquals("case " + i, oracle.wholes(2), spec.size(n[0], n[1]));
            }
        }
    }
}
