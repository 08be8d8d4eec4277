package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Compares what this device computes with what Python computed, stage by stage, on a bundle's golden pictures. */
public final class SelfTest {
    /** Of a network's input: rounding, in units of standard deviations of the pixels. */
    public static final double INPUT_TOLERANCE = 1e-5;

    /** Of a network's output: a probability; other kernels and orders of summation. */
    public static final double OUTPUT_TOLERANCE = 0.02;

    /** Of a corner, in pixels of the picture. */
    public static final double BOX_TOLERANCE = 0.5;

    /** Of a cut-out pixel, in levels of 255. */
    public static final double CROP_TOLERANCE = 1;

    private final GoldenCase golden;
    private final Manifest manifest;
    private final CharacterSet characters;

    private SelfTest(GoldenCase golden, Manifest manifest, CharacterSet characters) {
        this.golden = golden;
        this.manifest = manifest;
        this.characters = characters;
    }

    /**
     * Runs one golden picture.
     *
     * <p>Each stage gets the golden result of the stage before, so that a difference belongs to the stage that is named.
     *
     * @param golden read by {@link GoldenCase#read}
     * @param manifest the bundle's
     * @param characters the bundle's
     * @param det the detector; null to leave the networks out
     * @param rec the recogniser; null likewise
     * @param cls the classifier; null likewise, or where the bundle has none
     * @return one check a stage, in the stages' order
     * @throws BundleException if a network failed or gave something of another shape
     */
    public static List<Check> run(
            GoldenCase golden, Manifest manifest, CharacterSet characters, Network det, Network rec, Network cls)
            throws BundleException {
        SelfTest test = new SelfTest(golden, manifest, characters);
        List<Check> checks = new ArrayList<Check>();
        checks.add(test.detPreprocess());
        if (det != null) {
            Difference difference = new Difference(Stage.DET_NETWORK, OUTPUT_TOLERANCE, "value");
            difference.tensors(Pipeline.run(det, golden.detInput, "det"), golden.detOutput, golden.name);
            checks.add(difference.check());
        }
        checks.add(test.detPostprocess());
        checks.add(test.crop());
        if (manifest.cls != null) {
            checks.add(test.cls(cls));
        }
        checks.add(test.recPreprocess());
        if (rec != null) {
            checks.add(test.recNetwork(rec));
        }
        checks.add(test.recPostprocess());
        return Collections.unmodifiableList(checks);
    }

    private Check detPreprocess() throws BundleException {
        Difference difference = new Difference(Stage.DET_PREPROCESS, INPUT_TOLERANCE, "value");
        difference.tensors(Preprocess.det(golden.picture, manifest.detPreprocess), golden.detInput, golden.name);
        return difference.check();
    }

    private Check detPostprocess() throws BundleException {
        Difference difference = new Difference(Stage.DET_POSTPROCESS, BOX_TOLERANCE, "pixel");
        List<Box> boxes = Pipeline.boxes(golden.detOutput, golden.picture, manifest.db, manifest);
        if (boxes.size() != golden.lines.size()) {
            difference.add(Double.POSITIVE_INFINITY, boxes.size() + " boxes, not " + golden.lines.size());
            return difference.check();
        }
        for (int i = 0; i < boxes.size(); i++) {
            difference.arrays(boxes.get(i).quad, golden.lines.get(i).box.quad, line(i));
        }
        return difference.check();
    }

    private Check crop() throws BundleException {
        Difference difference = new Difference(Stage.CROP, CROP_TOLERANCE, "level");
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            difference.pictures(Crop.cut(golden.picture, line.box.quad, manifest.uprightRatio), line.crop, line(i));
        }
        return difference.check();
    }

    /** Of the classifier: its input, its output if there is a network, and how many lines are turned otherwise. */
    private Check cls(Network network) throws BundleException {
        Difference difference = new Difference(Stage.CLS, OUTPUT_TOLERANCE, "value");
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            if (line.clsInput == null) {
                throw new BundleException(
                        Fault.CONTENT, "golden/" + golden.name,
                        "golden/" + golden.name + " has no classifier's tensors, but the bundle has a classifier.",
                        "Make the bundle again.");
            }
            difference.tensors(Preprocess.line(line.crop, manifest.clsPreprocess), line.clsInput, line(i));
            Tensor output = network == null ? line.clsOutput : Pipeline.run(network, line.clsInput, "cls");
            difference.tensors(output, line.clsOutput, line(i));
            if (Classifier.upsideDown(output, manifest.turnScore) != line.turned) {
                difference.add(1, line(i) + (line.turned ? ": not turned" : ": turned"));
            }
        }
        return difference.check();
    }

    private Check recPreprocess() throws BundleException {
        Difference difference = new Difference(Stage.REC_PREPROCESS, INPUT_TOLERANCE, "value");
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            Image crop = line.turned ? line.crop.turnedOver() : line.crop;
            difference.tensors(Preprocess.line(crop, manifest.recPreprocess), line.recInput, line(i));
        }
        return difference.check();
    }

    private Check recNetwork(Network network) throws BundleException {
        Difference difference = new Difference(Stage.REC_NETWORK, OUTPUT_TOLERANCE, "value");
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            difference.tensors(Pipeline.run(network, line.recInput, "rec"), line.recOutput, line(i));
        }
        return difference.check();
    }

    private Check recPostprocess() throws BundleException {
        Difference difference = new Difference(Stage.REC_POSTPROCESS, 0, "line");
        int others = 0;
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            String text = Pipeline.text(line.recOutput, characters).text;
            if (!text.equals(line.text.text)) {
                difference.add(++others, line(i) + ": " + Json.quoted(text) + ", not " + Json.quoted(line.text.text));
            }
        }
        return difference.check();
    }

    private String line(int index) {
        return golden.name + ", line " + (index + 1);
    }
}
