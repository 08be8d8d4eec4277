package dev.ppedge.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.Before;
import org.junit.Test;

/** The pictures of a bundle: each stage, and the whole, gives what Python gave. */
public final class GoldenTest {
    private final File bundle = new File(System.getProperty("ppedge.bundle"));

    /** Of a crop's pixel, normalised: a corner that differs by a hundred-thousandth of a pixel can move one by that. */
    private static final float ONE_LEVEL = 2.5f / 255;

    private Manifest manifest;
    private RecognizerEntry recognizer;
    private CharacterSet characters;

    /** Gives recorded outputs, one after the other, and checks what it is given. */
    private static final class Recorded implements Network {
        private final Deque<Tensor> inputs = new ArrayDeque<Tensor>();
        private final Deque<Tensor> outputs = new ArrayDeque<Tensor>();

        void add(Tensor input, Tensor output) {
            inputs.add(input);
            outputs.add(output);
        }

        @Override
        public Tensor run(Tensor input) {
            Tensor wanted = inputs.remove();
            assertEquals(wanted.shapeText(), input.shapeText());
            assertArrayEquals(wanted.data, input.data, ONE_LEVEL);
            return outputs.remove();
        }
    }

    @Before
    public void readManifest() throws Exception {
        manifest = Manifest.read(Files.read(new File(bundle, "manifest.json"), "manifest.json", 1 << 24));
        recognizer = manifest.recognizers.get(0);
        characters = recognizer.characters(Files.read(recognizer.charset.check(bundle), "charset.txt", 1 << 20));
        assertFalse(manifest.golden.isEmpty());
    }

    private List<Check> selfTest(GoldenCase golden, Manifest of, Network det, Network rec, Odds odds) throws Exception {
        return SelfTest.run(golden, of, of.recognizer(recognizer.name), characters, det, rec, null, odds);
    }

    private List<GoldenCase> cases() throws Exception {
        List<GoldenCase> cases = new ArrayList<GoldenCase>();
        for (GoldenEntry entry : manifest.golden) {
            cases.add(GoldenCase.read(bundle, entry, recognizer, new ImageIoReader()));
        }
        return cases;
    }

    @Test
    public void everyStageGivesWhatPythonGave() throws Exception {
        for (GoldenCase golden : cases()) {
            Set<Stage> seen = EnumSet.noneOf(Stage.class);
            for (Check check : selfTest(golden, manifest, null, null, new Odds())) {
                System.out.println(golden.name + " " + check.stage + " " + check.difference + " " + check.unit);
                assertTrue(check.stage + ": " + check.detail + ", " + check.difference, check.passed());
                seen.add(check.stage);
            }
            assertTrue(seen.containsAll(EnumSet.of(Stage.DET_PREPROCESS, Stage.DET_POSTPROCESS, Stage.CROP)));
            assertTrue(seen.containsAll(EnumSet.of(Stage.REC_PREPROCESS, Stage.REC_POSTPROCESS)));
        }
    }

    /** The networks are answered by the recorded outputs: all the rest is Java. */
    @Test
    public void theWholePipelineReadsTheSameText() throws Exception {
        int turned = 0;
        for (GoldenCase golden : cases()) {
            Recorded det = new Recorded();
            Recorded rec = new Recorded();
            Recorded cls = new Recorded();
            det.add(golden.detInput, golden.detOutput);
            for (GoldenCase.GoldenLine line : golden.lines) {
                rec.add(line.recInput, line.recOutput);
                if (line.clsInput != null) {
                    cls.add(line.clsInput, line.clsOutput);
                }
            }
            List<Line> lines = new Pipeline(det, rec, cls, manifest, recognizer, characters).read(golden.picture).lines;
            assertEquals(golden.lines.size(), lines.size());
            for (int i = 0; i < lines.size(); i++) {
                GoldenCase.GoldenLine wanted = golden.lines.get(i);
                assertEquals(wanted.text.text, lines.get(i).text);
                assertEquals(wanted.text.score, lines.get(i).score, 1e-6);
                assertArrayEquals(wanted.box.quad, lines.get(i).quad, 0.5f);
                assertEquals(wanted.box.score, lines.get(i).boxScore, 1e-6);
                assertEquals(wanted.turned, lines.get(i).turned);
                turned += wanted.turned ? 1 : 0;
            }
        }
        assertTrue("no line is turned: the classifier is not tested", manifest.cls == null || turned > 0);
    }

    @Test
    public void modelsAreCheckedBeforeUse() throws Exception {
        for (ModelEntry model : Arrays.asList(manifest.det, recognizer)) {
            assertEquals(model.optVersion, model.checkModel(bundle).optVersion);
        }
    }

    /** A wrong constant must be seen, and be blamed on its own stage. */
    @Test
    public void aDifferenceIsBlamedOnItsStage() throws Exception {
        GoldenCase golden = cases().get(0);
        GoldenCase.GoldenLine line = golden.lines.get(0);
        line.recOutput.data[0] += 5; // the blank, where the first character was
        line.crop.bgr[0] += 9;
        StringBuilder failed = new StringBuilder();
        for (Check check : selfTest(golden, manifest, null, null, new Odds())) {
            failed.append(check.passed() ? "" : check.stage + " ");
            assertEquals(check.passed(), check.detail.isEmpty());
        }
        assertTrue(failed.toString(), failed.toString().contains("CROP ") && !failed.toString().contains("DET_"));
    }

    /** A bundle's manifest, but its networks are of another precision. */
    private Manifest ofPrecision(String precision) throws Exception {
        String json = new String(
                Files.read(new File(bundle, "manifest.json"), "manifest.json", 1 << 24), StandardCharsets.UTF_8);
        return Manifest.read(json.replaceAll("\"precision\": \"[a-z0-9]+\"", "\"precision\": \"" + precision + "\""));
    }

    /** A network that gives an output in which some values were changed: each N-th becomes 1 less itself. */
    private static Network changed(final Tensor output, final int every) {
        return new Network() {
            @Override
            public Tensor run(Tensor input) throws BundleException {
                float[] values = output.data.clone();
                for (int i = 0; i < values.length; i += every) {
                    values[i] = 1 - values[i];
                }
                int[] shape = new int[output.rank()];
                for (int i = 0; i < shape.length; i++) {
                    shape[i] = output.size(i);
                }
                return new Tensor(shape, values);
            }
        };
    }

    private static Check of(Stage stage, List<Check> checks) {
        for (Check check : checks) {
            if (check.stage == stage) {
                return check;
            }
        }
        throw new AssertionError(stage);
    }

    /** A few values of an int8 network may jump; of a float one none may. */
    @Test
    public void wholeNumbersMayDecideALittleOtherwise() throws Exception {
        GoldenCase golden = cases().get(0);
        GoldenCase one = new GoldenCase("01", golden.picture, golden.detInput, golden.detOutput, golden.lines.subList(0, 1));
        Tensor text = one.lines.get(0).recOutput;
        Network det = changed(one.detOutput, 200);
        Network rec = changed(text, 50 * text.size(2)); // one step in 50
        List<Check> int8 = selfTest(one, ofPrecision("int8"), det, rec, new Odds());
        assertTrue(of(Stage.DET_NETWORK, int8).passed() && of(Stage.REC_NETWORK, int8).passed());
        assertTrue(of(Stage.DET_NETWORK, int8).difference > 0 && of(Stage.REC_NETWORK, int8).difference > 0);
        assertEquals("share", of(Stage.REC_NETWORK, int8).unit);
        List<Check> fp32 = selfTest(one, ofPrecision("fp32"), det, rec, new Odds());
        assertFalse(of(Stage.DET_NETWORK, fp32).passed() || of(Stage.REC_NETWORK, fp32).passed());
        List<Check> wrong = selfTest(
                one, ofPrecision("int8"), changed(one.detOutput, 2), changed(text, text.size(2)), new Odds());
        assertFalse(of(Stage.DET_NETWORK, wrong).passed() || of(Stage.REC_NETWORK, wrong).passed());
        assertFalse(of(Stage.REC_NETWORK, wrong).detail.isEmpty());
    }

    /** A network whose probabilities have log-odds that many times as large. */
    private static Network scaled(final Tensor output, final double factor) {
        return new Network() {
            @Override
            public Tensor run(Tensor input) throws BundleException {
                float[] values = output.data.clone();
                for (int i = 0; i < values.length; i++) {
                    double p = Math.max(1e-6, Math.min(1 - 1e-6, values[i]));
                    values[i] = (float) (1 / (1 + Math.exp(-factor * Math.log(p / (1 - p)))));
                }
                return new Tensor(new int[] {1, 1, output.size(2), output.size(3)}, values);
            }
        };
    }

    private List<Check> together(double... factors) throws Exception {
        Odds odds = new Odds();
        List<GoldenCase> cases = cases();
        for (int i = 0; i < factors.length; i++) {
            GoldenCase golden = cases.get(i);
            List<Check> checks = selfTest(
                    golden, ofPrecision("int8"), scaled(golden.detOutput, factors[i]), null, odds);
            assertTrue(factors[i] > 1.2 || of(Stage.DET_NETWORK, checks).passed()); // the share alone does not see it
        }
        return odds.checks();
    }

    /** A scale that is wrong moves every picture a little; a rounding that falls otherwise moves one, and much. */
    @Test
    public void aWrongScaleShowsInEveryPicture() throws Exception {
        Check wrong = of(Stage.DET_NETWORK, together(1.1, 1.1, 1.1));
        assertFalse(wrong.passed());
        assertEquals("odds", wrong.unit);
        assertFalse(wrong.detail.isEmpty());
        Check rounded = of(Stage.DET_NETWORK, together(1, 1.3, 1.1));
        assertTrue(rounded.passed() && rounded.detail.isEmpty());
        assertTrue("too few to tell", together(1.1, 1.1).isEmpty());
    }

    @Test
    public void whatIsNotANumberPassesInNoPrecision() throws Exception {
        GoldenCase golden = cases().get(0);
        final Tensor output = new Tensor(new int[] {1, 1, golden.detOutput.size(2), golden.detOutput.size(3)},
                golden.detOutput.data.clone());
        output.data[5] = Float.NaN;
        Network det = new Network() {
            @Override
            public Tensor run(Tensor input) {
                return output;
            }
        };
        for (String precision : Arrays.asList("fp32", "int8")) {
            Check check = of(Stage.DET_NETWORK,
                    selfTest(golden, ofPrecision(precision), det, null, new Odds()));
            assertFalse(check.passed());
            assertEquals("01: not a number", check.detail);
        }
    }
}
