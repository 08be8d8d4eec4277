package dev.ppedge.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import org.junit.BeforeClass;
import org.junit.Test;
import org.opencv.core.Core;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.MatOfPoint;
import org.opencv.core.MatOfPoint2f;
import org.opencv.core.Point;
import org.opencv.core.Rect;
import org.opencv.core.RotatedRect;
import org.opencv.core.Scalar;
import org.opencv.core.Size;
import org.opencv.imgproc.Imgproc;

/**
 * A second opinion: each step that the core takes in OpenCV's place, beside OpenCV's own Java build, on random masks and
 * on a bundle's golden pictures. No number here comes from Python but the input.
 */
public final class OpenCvTest {
    /** Of a probability's map. */
    private static final class Mask {
        int height;
        int width;
        DbSpec spec;
        float[] map;
    }

    private interface OnMask {
        void look(Mask mask, String what) throws Exception;
    }

    @BeforeClass
    public static void loadOpenCv() {
        System.load(System.getProperty("ppedge.opencv"));
        System.out.println("opencv: " + Core.VERSION);
    }

    private static void eachMask(OnMask onMask) throws Exception {
        try (Oracle oracle = Oracle.of("masks")) {
            for (int i = 0; i < oracle.cases; i++) {
                Mask mask = new Mask();
                int[] n = oracle.wholes(7);
                boolean dilation = oracle.flag();
                boolean slow = oracle.flag();
                mask.spec = new DbSpec(
                        oracle.real(), oracle.real(), n[4], oracle.real(), n[5], n[6], dilation, slow);
                mask.height = n[0];
                mask.width = n[1];
                mask.map = oracle.floats(n[0] * n[1]);
                for (int boxes = oracle.whole(); boxes > 0; boxes--) {
                    oracle.floats(8);
                    oracle.real();
                }
                onMask.look(mask, "mask " + i);
            }
            assertTrue(oracle.cases >= 200);
        }
        for (GoldenCase golden : goldenCases()) {
            Mask mask = new Mask();
            mask.height = golden.detOutput.size(2);
            mask.width = golden.detOutput.size(3);
            mask.map = golden.detOutput.data;
            mask.spec = manifest().db;
            onMask.look(mask, "golden " + golden.name);
        }
    }

    private static Manifest manifest() throws Exception {
        return Manifest.read(Files.read(new File(bundle(), "manifest.json"), "manifest.json", 1 << 24));
    }

    private static File bundle() {
        return new File(System.getProperty("ppedge.bundle"));
    }

    private static List<GoldenCase> goldenCases() throws Exception {
        List<GoldenCase> cases = new ArrayList<GoldenCase>();
        for (GoldenEntry entry : manifest().golden) {
            cases.add(GoldenCase.read(bundle(), entry, manifest().recognizers.get(0), new ImageIoReader()));
        }
        assertTrue("no golden pictures", !cases.isEmpty());
        return cases;
    }

    private static Mat binary(Mask mask) {
        byte[] set = new byte[mask.map.length];
        for (int i = 0; i < set.length; i++) {
            set[i] = (byte) (mask.map[i] > (float) mask.spec.thresh ? 1 : 0);
        }
        Mat binary = new Mat(mask.height, mask.width, CvType.CV_8UC1);
        binary.put(0, 0, set);
        return binary;
    }

    private static List<MatOfPoint> contours(Mask mask) {
        List<MatOfPoint> found = new ArrayList<MatOfPoint>();
        Imgproc.findContours(binary(mask), found, new Mat(), Imgproc.RETR_LIST, Imgproc.CHAIN_APPROX_NONE);
        return found;
    }

    private static int[] pairs(MatOfPoint contour) {
        int[] points = new int[2 * (int) contour.total()];
        contour.get(0, 0, points);
        return points;
    }

    private static boolean[] flags(Mask mask) {
        boolean[] set = new boolean[mask.map.length];
        for (int i = 0; i < set.length; i++) {
            set[i] = mask.map[i] > (float) mask.spec.thresh;
        }
        return set;
    }

    @Test
    public void bordersAreItsContours() throws Exception {
        final int[] count = new int[1];
        eachMask(new OnMask() {
            @Override
            public void look(Mask mask, String what) {
                List<int[]> borders = Contours.find(flags(mask), mask.height, mask.width);
                List<MatOfPoint> wanted = contours(mask);
                assertEquals(what, wanted.size(), borders.size());
                for (int i = 0; i < wanted.size(); i++) {
                    assertArrayEquals(what + ", contour " + i, pairs(wanted.get(i)), borders.get(i));
                }
                count[0] += wanted.size();
            }
        });
        System.out.println("contours: " + count[0] + ", equal pixel by pixel");
        assertTrue(count[0] > 1000);
    }

    @Test
    public void rectanglesAndCornersAreIts() throws Exception {
        final int[] count = new int[2];
        final double[] largest = new double[2];
        eachMask(new OnMask() {
            @Override
            public void look(Mask mask, String what) {
                for (MatOfPoint contour : contours(mask)) {
                    RotatedRect wanted = Imgproc.minAreaRect(new MatOfPoint2f(contour.toArray()));
                    Rectangle got = Calipers.minAreaRectangle(pairs(contour));
                    double area = wanted.size.area();
                    assertEquals(what, area, (double) got.width * got.height, 0.001 + 1e-5 * area);
                    count[0]++;
                    if (got.shorterSide() >= mask.spec.minSide) {
                        double apart = farthest(corners(wanted), got.corners());
                        count[1] += apart > 0.001 ? 1 : 0;
                        largest[0] = Math.max(largest[0], apart > 0.001 ? 0 : apart);
                    }
                    RotatedRect same = new RotatedRect(
                            new Point(got.centreX, got.centreY), new Size(got.width, got.height), got.angle);
                    largest[1] = Math.max(largest[1], farthest(corners(same), got.corners()));
                }
            }
        });
        System.out.println("rectangles: " + count[0] + ", " + count[1] + " are others of the same area, largest difference "
                + largest[0] + " pixels; of the corners of one rectangle " + largest[1]);
        assertTrue(count[1] + " others", count[1] <= count[0] / 1000);
        assertEquals(0, largest[1], 1e-4);
    }

    private static float[] corners(RotatedRect rectangle) {
        Mat points = new Mat();
        Imgproc.boxPoints(rectangle, points);
        float[] corners = new float[8];
        points.get(0, 0, corners);
        return Quad.ordered(corners);
    }

    private static double farthest(float[] ordered, float[] corners) {
        float[] other = Quad.ordered(corners);
        double largest = 0;
        for (int i = 0; i < 8; i++) {
            largest = Math.max(largest, Math.abs(ordered[i] - other[i]));
        }
        return largest;
    }

    /**
     * OpenCV before 4.8 has {@code fillPoly} round otherwise where an edge crosses a row, so that some pixels at the edge
     * differ; {@link OracleTest} holds the scores to the last bits against the OpenCV that Python has.
     */
    @Test
    public void scoresAreItsMeansUpToTheEdge() throws Exception {
        final int[] count = new int[2];
        final double[] apart = new double[1];
        eachMask(new OnMask() {
            @Override
            public void look(Mask mask, String what) {
                Mat map = new Mat(mask.height, mask.width, CvType.CV_32FC1);
                map.put(0, 0, mask.map);
                for (MatOfPoint contour : contours(mask)) {
                    Rectangle rectangle = Calipers.minAreaRectangle(pairs(contour));
                    if (rectangle.shorterSide() < mask.spec.minSide) {
                        continue;
                    }
                    int[] polygon = mask.spec.slowScore ? pairs(contour) : DbPostprocess.truncated(rectangle.corners());
                    double difference = Math.abs(
                            mean(map, polygon) - PolygonMean.of(mask.map, mask.height, mask.width, polygon));
                    count[0]++;
                    count[1] += difference < 1e-9 ? 1 : 0;
                    apart[0] = Math.max(apart[0], difference);
                }
            }
        });
        System.out.println("scores: " + count[0] + ", " + count[1] + " equal, largest difference "
                + apart[0]);
        assertTrue(count[0] + " scores", count[0] > 1000);
        assertTrue(count[1] + " of them are equal", count[1] > 0.8 * count[0]);
        assertEquals(0, apart[0], 0.05);
    }

    /** Of the part of a map below a polygon, which alone is painted on, as in Python: clipping depends on its border. */
    private static double mean(Mat map, int[] polygon) {
        Point[] points = new Point[polygon.length / 2];
        for (int i = 0; i < points.length; i++) {
            points[i] = new Point(polygon[2 * i], polygon[2 * i + 1]);
        }
        List<MatOfPoint> polygons = new ArrayList<MatOfPoint>();
        polygons.add(new MatOfPoint(points));
        Rect around = Imgproc.boundingRect(polygons.get(0));
        Rect part = new Rect(
                new Point(Math.max(around.x, 0), Math.max(around.y, 0)),
                new Point(Math.min(around.x + around.width, map.cols()), Math.min(around.y + around.height, map.rows())));
        Mat painted = Mat.zeros(part.size(), CvType.CV_8UC1);
        Imgproc.fillPoly(painted, polygons, new Scalar(1), Imgproc.LINE_8, 0, new Point(-part.x, -part.y));
        return Core.mean(map.submat(part), painted).val[0];
    }

    @Test
    public void resizedPicturesAreIts() throws Exception {
        int count = 0;
        try (Oracle oracle = Oracle.of("resizes")) {
            for (int i = 0; i < oracle.cases; i++) {
                int[] size = oracle.wholes(4);
                assertSameResize(oracle.image(size[0], size[1]), size[3], size[2], "case " + i);
                oracle.bytes(size[2] * size[3] * 3);
                count++;
            }
        }
        for (GoldenCase golden : goldenCases()) {
            assertSameResize(golden.picture, golden.detInput.size(3), golden.detInput.size(2), golden.name);
            for (GoldenCase.GoldenLine line : golden.lines) {
                LinePreprocess spec = manifest().recognizers.get(0).preprocess;
                assertSameResize(line.crop, spec.width(line.crop), spec.height, golden.name);
                count++;
            }
            count++;
        }
        System.out.println("resizes: " + count + ", equal byte by byte");
    }

    private static void assertSameResize(Image image, int width, int height, String what) throws Exception {
        Mat wanted = new Mat();
        Imgproc.resize(mat(image), wanted, new Size(width, height), 0, 0, Imgproc.INTER_LINEAR);
        assertArrayEquals(what, bytes(wanted), Resize.linear(image, width, height).bgr);
    }

    @Test
    public void cropsAreIts() throws Exception {
        int count = 0;
        try (Oracle oracle = Oracle.of("crops")) {
            for (int i = 0; i < oracle.cases; i++) {
                int height = oracle.whole();
                Image picture = oracle.image(height, oracle.whole());
                assertSameCrop(picture, oracle.floats(8), "case " + i);
                int[] size = oracle.wholes(2);
                oracle.bytes(size[0] * size[1] * 3);
                count++;
            }
        }
        for (GoldenCase golden : goldenCases()) {
            for (GoldenCase.GoldenLine line : golden.lines) {
                assertSameCrop(golden.picture, line.box.quad, golden.name);
                count++;
            }
        }
        System.out.println("crops: " + count + ", equal byte by byte");
    }

    private static void assertSameCrop(Image picture, float[] quad, String what) throws Exception {
        Image got = Crop.cut(picture, quad, 1e9);
        MatOfPoint2f from = new MatOfPoint2f(
                new Point(quad[0], quad[1]), new Point(quad[2], quad[3]),
                new Point(quad[4], quad[5]), new Point(quad[6], quad[7]));
        MatOfPoint2f to = new MatOfPoint2f(
                new Point(0, 0), new Point(got.width, 0), new Point(got.width, got.height), new Point(0, got.height));
        Mat wanted = new Mat();
        Imgproc.warpPerspective(
                mat(picture), wanted, Imgproc.getPerspectiveTransform(from, to), new Size(got.width, got.height),
                Imgproc.INTER_CUBIC, Core.BORDER_REPLICATE, new Scalar(0));
        assertArrayEquals(what, bytes(wanted), got.bgr);
        if (got.height >= 1.5 * got.width) {
            Mat turned = new Mat();
            Core.rotate(wanted, turned, Core.ROTATE_90_COUNTERCLOCKWISE);
            assertArrayEquals(what + ", turned", bytes(turned), Crop.cut(picture, quad, 1.5).bgr);
        }
    }

    private static Mat mat(Image image) {
        Mat mat = new Mat(image.height, image.width, CvType.CV_8UC3);
        mat.put(0, 0, image.bgr);
        return mat;
    }

    private static byte[] bytes(Mat mat) {
        byte[] bytes = new byte[(int) mat.total() * mat.channels()];
        mat.get(0, 0, bytes);
        return bytes;
    }
}
