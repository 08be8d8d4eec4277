package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A bundle's {@code manifest.json}, schema 1 (one recogniser) or 2 (several), checked. Keys that are not known are ignored:
 * a later toolkit may add some.
 */
public final class Manifest {
    /** The schema of a bundle with one recogniser. */
    public static final int ONE = 1;

    /** The schema of a bundle with several. */
    public static final int SEVERAL = 2;

    private static final String HINT = "Update the app, or make the bundle with this version of the toolkit.";
    private static final int MAX_SIDE = 1 << 13; // pixels; a network's input beyond that fits no phone
    private static final int MAX_GOLDEN = 1000;
    private static final int MAX_CHAIN = 100;
    private static final int MAX_RECOGNIZERS = 32;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,23}");

    /** Version of the toolkit that made the bundle. */
    public final String ppedge;

    /** Of the bundle. */
    public final String name;

    /** What is known of the models' and pictures' licence. */
    public final String licence;

    /** The detector. */
    public final ModelEntry det;

    /** Its pre-processing. */
    public final DetPreprocess detPreprocess;

    /** Its post-processing. */
    public final DbSpec db;

    /** The recognisers; the first is the one that reads unless another is chosen. */
    public final List<RecognizerEntry> recognizers;

    /** The classifier of upside-down lines; null where the bundle has none. */
    public final ModelEntry cls;

    /** Its pre-processing; null without one. */
    public final LinePreprocess clsPreprocess;

    /** A line is turned when the probability of class 1 is above this; 0 without a classifier. */
    public final double turnScore;

    /** A crop at least this many times as high as wide holds a line that runs downwards. */
    public final double uprightRatio;

    /** Boxes whose top-left corners differ by less than this many pixels in y stand in one line. */
    public final double sameLine;

    /** The golden pictures; may be empty. */
    public final List<GoldenEntry> golden;

    private Manifest(Section root, boolean several) throws BundleException {
        ppedge = root.text("ppedge");
        name = root.text("name");
        licence = root.text("licence");
        Section models = root.section("models");
        Section detSection = models.section("det");
        det = model(detSection);
        detPreprocess = detPreprocess(detSection.section("preprocess"));
        db = db(detSection.section("postprocess"));
        recognizers = several ? recognizers(root) : Collections.singletonList(recognizer("", models.section("rec"), root));
        Section clsSection = models.has("cls") ? models.section("cls") : null;
        cls = clsSection == null ? null : model(clsSection);
        clsPreprocess = clsSection == null ? null : clsPreprocess(clsSection.section("preprocess"));
        turnScore = clsSection == null ? 0 : clsSection.section("postprocess").number("turn_score", 0, 1);
        Section pipeline = root.section("pipeline");
        uprightRatio = pipeline.number("upright_ratio", 0.01, 1000);
        sameLine = pipeline.number("same_line", 0, 10000);
        golden = golden(root);
    }

    /**
     * Reads a manifest.
     *
     * @param json the file's text
     * @throws BundleException if it is not JSON, of another schema, or a value is missing, of a wrong type or out of range
     */
    public static Manifest read(String json) throws BundleException {
        Section root = Section.of(Json.parse(json, "manifest.json"), "manifest.json");
        long schema = root.whole("schema", 0, Integer.MAX_VALUE);
        if (schema != ONE && schema != SEVERAL) {
            throw new BundleException(
                    Fault.OTHER_VERSION, "manifest.json",
                    "manifest.json is of schema " + schema + "; this app reads schema " + ONE + " and " + SEVERAL + ".",
                    HINT);
        }
        return new Manifest(root, schema == SEVERAL);
    }

    /**
     * Reads a manifest's bytes.
     *
     * @param utf8 the file's
     * @throws BundleException as {@link #read(String)}, or if they are not UTF-8
     */
    public static Manifest read(byte[] utf8) throws BundleException {
        return read(CharacterSet.decode(utf8, "manifest.json", "Copy the bundle again, whole."));
    }

    /**
     * Returns a recogniser by its name.
     *
     * @return null if there is none of that name
     */
    public RecognizerEntry recognizer(String wanted) {
        for (RecognizerEntry recognizer : recognizers) {
            if (recognizer.name.equals(wanted)) {
                return recognizer;
            }
        }
        return null;
    }

    /** Returns the recognisers' names, the first first; empty for a bundle with one. */
    public List<String> names() {
        List<String> names = new ArrayList<String>();
        for (RecognizerEntry recognizer : recognizers) {
            if (!recognizer.name.isEmpty()) {
                names.add(recognizer.name);
            }
        }
        return names;
    }

    private static List<RecognizerEntry> recognizers(Section root) throws BundleException {
        List<RecognizerEntry> recognizers = new ArrayList<RecognizerEntry>();
        Set<String> names = new HashSet<String>();
        for (Section entry : root.sections("recognizers", MAX_RECOGNIZERS)) {
            String name = entry.text("name");
            if (!NAME.matcher(name).matches() || !names.add(name.toLowerCase(Locale.ROOT))) {
                throw entry.wrong("name", "a name of its own, 1 to 24 letters, digits, _ or -");
            }
            recognizers.add(recognizer(name, entry.section("model"), entry));
        }
        if (recognizers.isEmpty()) {
            throw root.wrong("recognizers", "a list of at least 1");
        }
        return Collections.unmodifiableList(recognizers);
    }

    /** Reads a recogniser; its character set stands beside its model. */
    private static RecognizerEntry recognizer(String name, Section model, Section beside) throws BundleException {
        return new RecognizerEntry(
                name, model(model), recPreprocess(model.section("preprocess")),
                (int) model.whole("classes", 2, CharacterSet.MAX_SIZE), charset(beside.section("charset")));
    }

    private static ModelEntry model(Section section) throws BundleException {
        Section input = section.section("input");
        input.choice("layout", "NCHW");
        input.choice("channels", "BGR");
        input.choice("dtype", "float32");
        List<ChainLink> chain = new ArrayList<ChainLink>();
        for (Section link : section.sections("chain", MAX_CHAIN)) {
            chain.add(new ChainLink(
                    link.text("stage"), link.text("run"), link.sha256("manifest_sha256"), link.sha256("recipe_sha256")));
        }
        return new ModelEntry(
                section.file(), section.choice("precision", "fp32", "fp16", "int8"), section.text("opt_version"), chain);
    }

    private static DetPreprocess detPreprocess(Section section) throws BundleException {
        return new DetPreprocess(
                (int) section.whole("limit_side", 1, MAX_SIDE),
                section.choice("limit_type", "min", "max").equals("min"),
                (int) section.whole("max_side", 1, MAX_SIDE),
                (int) section.whole("multiple", 1, MAX_SIDE),
                section.numbers("mean", 3, -1000, 1000),
                section.numbers("std", 3, 1e-6, 1000));
    }

    private static DbSpec db(Section section) throws BundleException {
        return new DbSpec(
                section.number("thresh", 0, 1),
                section.number("box_thresh", 0, 1),
                (int) section.whole("max_candidates", 1, 1000000),
                section.number("unclip_ratio", 1e-6, 100),
                (int) section.whole("min_side", 1, MAX_SIDE),
                (int) section.whole("grown_side", 0, MAX_SIDE),
                section.flag("dilation"),
                section.choice("score_mode", "fast", "slow").equals("slow"));
    }

    private static LinePreprocess recPreprocess(Section section) throws BundleException {
        return new LinePreprocess(
                (int) section.whole("height", 1, MAX_SIDE),
                (int) section.whole("min_width", 1, MAX_SIDE),
                (int) section.whole("max_width", 1, MAX_SIDE),
                section.number("mean", -1000, 1000),
                section.number("std", 1e-6, 1000));
    }

    private static LinePreprocess clsPreprocess(Section section) throws BundleException {
        int width = (int) section.whole("width", 1, MAX_SIDE);
        return new LinePreprocess(
                (int) section.whole("height", 1, MAX_SIDE),
                width,
                width,
                section.number("mean", -1000, 1000),
                section.number("std", 1e-6, 1000));
    }

    private static FileEntry charset(Section section) throws BundleException {
        section.whole("characters", 1, CharacterSet.MAX_SIZE - 1);
        return section.file();
    }

    private static List<GoldenEntry> golden(Section root) throws BundleException {
        List<GoldenEntry> golden = new ArrayList<GoldenEntry>();
        for (Section entry : root.sections("golden", MAX_GOLDEN)) {
            List<FileEntry> files = new ArrayList<FileEntry>();
            for (Section file : entry.sections("files", 100 * MAX_GOLDEN)) {
                files.add(file.file());
            }
            golden.add(new GoldenEntry(entry.text("name"), files));
        }
        return Collections.unmodifiableList(golden);
    }
}
