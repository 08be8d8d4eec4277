package dev.ppedge.core;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** Reads {@code golden/NN/golden.json} and the files that it names, each checked against the manifest. */
final class GoldenReader {
    private static final int MAX_LINES = 10000;
    private static final String HINT = "Make the bundle again.";

    private final File bundle;
    private final GoldenEntry entry;
    private final RecognizerEntry recognizer;
    private final PictureReader pictures;
    private final String folder;

    GoldenReader(File bundle, GoldenEntry entry, RecognizerEntry recognizer, PictureReader pictures) {
        this.bundle = bundle;
        this.entry = entry;
        this.recognizer = recognizer;
        this.pictures = pictures;
        this.folder = "golden/" + entry.name + "/";
    }

    GoldenCase read() throws BundleException {
        String where = folder + "golden.json";
        byte[] bytes = Files.read(checked("golden.json"), where, Json.MAX_CHARACTERS);
        Section root = Section.of(Json.parse(CharacterSet.decode(bytes, where, HINT), where), where);
        Image picture = picture(root.text("picture"), root);
        Section det = root.section("det");
        List<GoldenCase.GoldenLine> lines = new ArrayList<GoldenCase.GoldenLine>();
        for (Section line : root.sections("lines", MAX_LINES)) {
            lines.add(line(line));
        }
        return new GoldenCase(entry.name, picture, tensor(det, "input", 4), tensor(det, "output", 4), lines);
    }

    private GoldenCase.GoldenLine line(Section line) throws BundleException {
        Section crop = line.section("crop");
        // One recogniser's reading is the line's; each of several has its own.
        Section reading = recognizer.name.isEmpty() ? line : line.section("readings").section(recognizer.name);
        Section rec = reading.section("rec");
        Section cls = line.has("cls") ? line.section("cls") : null;
        return new GoldenCase.GoldenLine(
                new Box(line.quad("quad"), line.number("box_score", 0, 1)),
                picture(crop.text("file"), crop),
                line.flag("turned"),
                cls == null ? null : new Tensor[] {tensor(cls, "input", 4), tensor(cls, "output", 2)},
                new Tensor[] {tensor(rec, "input", 4), tensor(rec, "output", 3)},
                new Text(reading.text("text"), reading.number("score", 0, 1.001)));
    }

    private Image picture(String file, Section size) throws BundleException {
        Image picture;
        try {
            picture = pictures.read(checked(file));
        } catch (IOException error) {
            throw Files.unreadable(folder + file, error);
        }
        if (picture.width != size.whole("width", 1, 1 << 20) || picture.height != size.whole("height", 1, 1 << 20)) {
            throw new BundleException(
                    Fault.CONTENT, folder + file,
                    folder + file + " has " + picture.width + " x " + picture.height
                            + " pixels, which is not what golden.json says.",
                    HINT);
        }
        return picture;
    }

    /** Reads gzipped float32 values, lowest byte first. */
    private Tensor tensor(Section parent, String key, int rank) throws BundleException {
        Section section = parent.section(key);
        String file = section.text("file");
        int[] shape = section.shape("shape", rank);
        float[] values = new float[Tensor.count(shape)];
        long size = 4L * values.length;
        byte[] packed = Files.read(checked(file), folder + file, size + 1024);
        ByteArrayOutputStream out = new ByteArrayOutputStream((int) Math.min(size, 1 << 24));
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(packed))) {
            Files.copy(in, out, size, folder + file);
        } catch (IOException error) {
            throw Files.unreadable(folder + file, error);
        }
        if (out.size() != size) {
            throw new BundleException(
                    Fault.CONTENT, folder + file,
                    folder + file + " has " + out.size() + " bytes, its shape needs " + size + ".", HINT);
        }
        ByteBuffer.wrap(out.toByteArray()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
        return new Tensor(shape, values);
    }

    /** A file of this case, after its size and hash have been checked. */
    private File checked(String file) throws BundleException {
        for (FileEntry known : entry.files) {
            if (known.path.equals(folder + file)) {
                return known.check(bundle);
            }
        }
        throw new BundleException(
                Fault.CONTENT, folder + file,
                "manifest.json does not name " + Json.quoted(folder + file) + ".", HINT);
    }
}
