package dev.ppedge.core;

import java.util.ArrayList;
import java.util.List;

/** Detect, crop, turn, recognise: each line by itself, so that no line's text depends on another. For one thread. */
public final class Pipeline {
    private final Network det;
    private final Network rec;
    private final Network cls;
    private final Manifest manifest;
    private final RecognizerEntry recognizer;
    private final CharacterSet characters;

    /**
     * @param det the detector
     * @param rec the recogniser
     * @param cls the classifier; null where the bundle has none, or to leave it out
     * @param manifest the bundle's
     * @param recognizer which of its recognisers {@code rec} is
     * @param characters that recogniser's
     */
    public Pipeline(
            Network det, Network rec, Network cls, Manifest manifest, RecognizerEntry recognizer, CharacterSet characters) {
        this.det = det;
        this.rec = rec;
        this.cls = manifest.cls == null ? null : cls;
        this.manifest = manifest;
        this.recognizer = recognizer;
        this.characters = characters;
    }

    /**
     * Reads a picture with the bundle's thresholds.
     *
     * @throws BundleException if a network failed, or gave something of another shape; its cause is what the network threw
     */
    public Reading read(Image image) throws BundleException {
        return read(image, manifest.db);
    }

    /**
     * Reads a picture.
     *
     * @param spec thresholds, for instance a user's
     * @throws BundleException if a network failed, or gave something of another shape; its cause is what the network threw
     */
    public Reading read(Image image, DbSpec spec) throws BundleException {
        StopWatch watch = new StopWatch();
        Tensor input = Preprocess.det(image, manifest.detPreprocess);
        watch.stop(Stage.DET_PREPROCESS);
        Tensor map = run(det, input, "det");
        watch.stop(Stage.DET_NETWORK);
        List<Box> boxes = boxes(map, image, spec, manifest);
        watch.stop(Stage.DET_POSTPROCESS);
        List<Line> lines = new ArrayList<Line>();
        for (Box box : boxes) {
            lines.add(line(image, box, watch));
        }
        return new Reading(lines, watch.nanoseconds());
    }

    private Line line(Image image, Box box, StopWatch watch) throws BundleException {
        Image crop = Crop.cut(image, box.quad, manifest.uprightRatio);
        watch.stop(Stage.CROP);
        boolean turned = false;
        if (cls != null) {
            Tensor output = run(cls, Preprocess.line(crop, manifest.clsPreprocess), "cls");
            turned = Classifier.upsideDown(output, manifest.turnScore);
            crop = turned ? crop.turnedOver() : crop;
            watch.stop(Stage.CLS);
        }
        Tensor input = Preprocess.line(crop, recognizer.preprocess);
        watch.stop(Stage.REC_PREPROCESS);
        Tensor output = run(rec, input, "rec");
        watch.stop(Stage.REC_NETWORK);
        Text text = text(output, characters);
        watch.stop(Stage.REC_POSTPROCESS);
        return new Line(text, box, turned);
    }

    /**
     * Reads a detector's output (1, 1, H, W).
     *
     * @return boxes in reading order
     * @throws BundleException if it is of another shape, or not numbers
     */
    static List<Box> boxes(Tensor map, Image image, DbSpec spec, Manifest manifest) throws BundleException {
        if (map.rank() != 4 || map.size(0) != 1 || map.size(1) != 1) {
            throw new BundleException(
                    Fault.OUTPUT, "det",
                    "The detector gives the shape " + map.shapeText() + ", not a map [1, 1, height, width].",
                    "The model does not belong to this bundle.");
        }
        List<Box> boxes = DbPostprocess.boxes(map.data, map.size(2), map.size(3), image.height, image.width, spec);
        return ReadingOrder.sort(boxes, manifest.sameLine);
    }

    /**
     * Reads a recogniser's output (1, T, C).
     *
     * @throws BundleException if it is of another shape, or not numbers
     */
    static Text text(Tensor output, CharacterSet characters) throws BundleException {
        if (output.rank() != 3 || output.size(0) != 1) {
            throw new BundleException(
                    Fault.OUTPUT, "rec",
                    "The recogniser gives the shape " + output.shapeText() + ", not [1, steps, classes].",
                    "The model does not belong to this bundle.");
        }
        return CtcDecoder.decode(output.data, output.size(1), output.size(2), characters);
    }

    /**
     * Runs a network.
     *
     * @throws BundleException if it failed, in whatever way, or gave nothing
     */
    static Tensor run(Network network, Tensor input, String what) throws BundleException {
        Tensor output;
        try {
            output = network.run(input);
        } catch (BundleException error) {
            throw error;
        } catch (Exception error) { // a Network may throw what it likes: the cause tells
            throw new BundleException(
                    Fault.FAILED, what,
                    "The network " + what + " failed: " + error + ".", "Run the self-test.", error);
        }
        if (output == null) {
            throw new BundleException(
                    Fault.FAILED, what,
                    "The network " + what + " gave nothing.", "Run the self-test.");
        }
        return output;
    }

    /** Adds up the time of the stages. */
    private static final class StopWatch {
        private final long[] sums = new long[Stage.values().length];
        private long before = System.nanoTime();

        void stop(Stage stage) {
            long now = System.nanoTime();
            sums[stage.ordinal()] += now - before;
            before = now;
        }

        long[] nanoseconds() {
            return sums;
        }
    }
}
