package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Compares what this device computes with what Python computed, stage by stage, on a bundle's golden pictures. */
public final class SelfTest {
    /** Of a network's input: rounding, in units of standard deviations of the pixels. */
    public static final double INPUT_TOLERANCE = 1e-5;

    /** Of an fp32 network's output: a probability; other kernels and orders of summation. 0.00012 was measured. */
    public static final double OUTPUT_TOLERANCE = 0.002;

    /** Likewise of an fp16 network. */
    public static final double HALF_TOLERANCE = 0.02;

    /** Of an int8 detector or recogniser: the share of its {@link Decisions}; 0.018 was measured. See {@link Odds}, too. */
    public static final double DECISION_TOLERANCE = 0.05;

    /** Of an int8 classifier's probability. */
    public static final double INT8_TOLERANCE = 0.2;

    private static final String INT8 = "int8";
    private static final String FP16 = "fp16";

    /** Of a corner, in pixels of the picture; 0.00002 was measured. */
    public static final double BOX_TOLERANCE = 0.05;

    /** Of a cut-out pixel, in levels of 255. */
    public static final double CROP_TOLERANCE = 1;

    private final GoldenCase golden;
    private final Manifest manifest;
    private final RecognizerEntry recognizer;
    private final CharacterSet characters;
    private final Odds odds;

    private SelfTest(
            GoldenCase golden, Manifest manifest, RecognizerEntry recognizer, CharacterSet characters, Odds odds) {
        this.golden = golden;
        this.manifest = manifest;
        this.recognizer = recognizer;
        this.characters = characters;
        this.odds = odds;
    }

    /**
     * Runs one golden picture.
     *
     * <p>Each stage gets the golden result of the stage before, so that a difference belongs to the stage that is named.
     *
     * @param golden read by {@link GoldenCase#read} for this recogniser
     * @param manifest the bundle's
     * @param recognizer which of its recognisers
     * @param characters that recogniser's
     * @param det the detector; null to leave the networks out
     * @param rec the recogniser; null likewise
     * @param cls the classifier; null likewise, or where the bundle has none
     * @param odds gathers what is judged over several pictures together
     * @return one check a stage, in the stages' order
     * @throws BundleException if a network failed or gave something of another shape
     */
    public static List<Check> run(
            GoldenCase golden, Manifest manifest, RecognizerEntry recognizer, CharacterSet characters, Network det,
            Network rec, Network cls, Odds odds)
            throws BundleException {
        SelfTest test = new SelfTest(golden, manifest, recognizer, characters, odds);
        List<Check> checks = new ArrayList<Check>();
        checks.add(test.detPreprocess());
        if (det != null) {
            checks.add(test.detNetwork(det));
        }
        checks.add(test.detPostprocess());
        checks.add(test.crop());
        if (manifest.cls != null) {
            checks.add(test.cls(cls));
        }
        test.addRecognizer(checks, rec);
        return Collections.unmodifiableList(checks);
    }

    /**
     * Runs the stages of one golden picture that belong to a recogniser; the others are the same with each.
     *
     * <p>See {@link #run} for the rest.
     */
    public static List<Check> runRecognizer(
            GoldenCase golden, Manifest manifest, RecognizerEntry recognizer, CharacterSet characters, Network rec,
            Odds odds)
            throws BundleException {
        List<Check> checks = new ArrayList<Check>();
        new SelfTest(golden, manifest, recognizer, characters, odds).addRecognizer(checks, rec);
        return Collections.unmodifiableList(checks);
    }

    private void addRecognizer(List<Check> checks, Network rec) throws BundleException {
        checks.add(recPreprocess());
        if (rec != null) {
            checks.add(recNetwork(rec));
        }
        checks.add(recPostprocess());
    }

    private Check detPreprocess() throws BundleException {
        Difference difference = new Difference(Stage.DET_PREPROCESS, "", INPUT_TOLERANCE, "value");
        difference.tensors(Preprocess.det(golden.picture, manifest.detPreprocess), golden.detInput, golden.name);
        return difference.check();
    }

    private Check detNetwork(Network network) throws BundleException {
        Tensor output = Pipeline.run(network, golden.detInput, "det");
        Difference difference = network(Stage.DET_NETWORK, "", manifest.det);
        if (!manifest.det.precision.equals(INT8)) {
            difference.tensors(output, golden.detOutput, golden.name);
        } else if (difference.sameShape(output, golden.detOutput, golden.name)) {
            Decisions decisions = new Decisions();
            decisions.text(output, golden.detOutput, manifest.db.thresh);
            difference.add(decisions.share(), golden.name);
            odds.add(Stage.DET_NETWORK, "", decisions.change());
        }
        return difference.check();
    }

    private static Difference network(Stage stage, String recognizer, ModelEntry model) {
        return model.precision.equals(INT8)
                ? new Difference(stage, recognizer, DECISION_TOLERANCE, "share")
                : new Difference(stage, recognizer, ofFloats(model), "value");
    }

    private static double ofFloats(ModelEntry model) {
        return model.precision.equals(FP16) ? HALF_TOLERANCE : OUTPUT_TOLERANCE;
    }

    private Check detPostprocess() throws BundleException {
        Difference difference = new Difference(Stage.DET_POSTPROCESS, "", BOX_TOLERANCE, "pixel");
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
        Difference difference = new Difference(Stage.CROP, "", CROP_TOLERANCE, "level");
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            difference.pictures(Crop.cut(golden.picture, line.box.quad, manifest.uprightRatio), line.crop, line(i));
        }
        return difference.check();
    }

    /** Of the classifier: its input, its output if there is a network, and how many lines are turned otherwise. */
    private Check cls(Network network) throws BundleException {
        double tolerance = manifest.cls.precision.equals(INT8) ? INT8_TOLERANCE : ofFloats(manifest.cls);
        Difference difference = new Difference(Stage.CLS, "", tolerance, "value");
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
            boolean sure = Math.abs(line.clsOutput.data[1] - manifest.turnScore) > tolerance || network == null;
            if (sure && Classifier.upsideDown(output, manifest.turnScore) != line.turned) {
                difference.add(1, line(i) + (line.turned ? ": not turned" : ": turned"));
            }
        }
        return difference.check();
    }

    private Check recPreprocess() throws BundleException {
        Difference difference = new Difference(Stage.REC_PREPROCESS, recognizer.name, INPUT_TOLERANCE, "value");
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            Image crop = line.turned ? line.crop.turnedOver() : line.crop;
            difference.tensors(Preprocess.line(crop, recognizer.preprocess), line.recInput, line(i));
        }
        return difference.check();
    }

    private Check recNetwork(Network network) throws BundleException {
        boolean int8 = recognizer.precision.equals(INT8);
        Difference difference = network(Stage.REC_NETWORK, recognizer.name, recognizer);
        Decisions decisions = new Decisions();
        for (int i = 0; i < golden.lines.size(); i++) {
            GoldenCase.GoldenLine line = golden.lines.get(i);
            Tensor output = Pipeline.run(network, line.recInput, "rec");
            if (!int8) {
                difference.tensors(output, line.recOutput, line(i));
            } else if (difference.sameShape(output, line.recOutput, line(i))) {
                decisions.steps(output, line.recOutput);
            }
        }
        difference.add(decisions.share(), golden.name);
        odds.add(Stage.REC_NETWORK, recognizer.name, decisions.change());
        return difference.check();
    }

    private Check recPostprocess() throws BundleException {
        Difference difference = new Difference(Stage.REC_POSTPROCESS, recognizer.name, 0, "line");
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
