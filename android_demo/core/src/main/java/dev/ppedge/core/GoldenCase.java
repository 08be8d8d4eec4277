package dev.ppedge.core;

import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A picture of a bundle with all that Python computed for it: {@code golden/NN/golden.json} and its files. */
public final class GoldenCase {
    /** A line of it. */
    public static final class GoldenLine {
        /** Where, and the detector's score. */
        public final Box box;

        /** As cut out, before the classifier's turn. */
        public final Image crop;

        /** Whether the classifier turned it. */
        public final boolean turned;

        /** The classifier's input; null without a classifier. */
        public final Tensor clsInput;

        /** The classifier's output; null without a classifier. */
        public final Tensor clsOutput;

        /** The input of the recogniser that the case was read for. */
        public final Tensor recInput;

        /** Its output. */
        public final Tensor recOutput;

        /** What the line says to it. */
        public final Text text;

        GoldenLine(Box box, Image crop, boolean turned, Tensor[] cls, Tensor[] rec, Text text) {
            this.box = box;
            this.crop = crop;
            this.turned = turned;
            this.clsInput = cls == null ? null : cls[0];
            this.clsOutput = cls == null ? null : cls[1];
            this.recInput = rec[0];
            this.recOutput = rec[1];
            this.text = text;
        }
    }

    /** Of the case: {@code 01}. */
    public final String name;

    /** The picture. */
    public final Image picture;

    /** The detector's input. */
    public final Tensor detInput;

    /** The detector's output. */
    public final Tensor detOutput;

    /** In reading order. */
    public final List<GoldenLine> lines;

    GoldenCase(String name, Image picture, Tensor detInput, Tensor detOutput, List<GoldenLine> lines) {
        this.name = name;
        this.picture = picture;
        this.detInput = detInput;
        this.detOutput = detOutput;
        this.lines = Collections.unmodifiableList(new ArrayList<GoldenLine>(lines));
    }

    /**
     * Reads a case.
     *
     * @param bundle the folder
     * @param entry the manifest's
     * @param recognizer whose tensors and texts are read
     * @param pictures decodes PNG files
     * @throws BundleException if a file is missing, damaged, or not what the manifest says
     */
    public static GoldenCase read(
            File bundle, GoldenEntry entry, RecognizerEntry recognizer, PictureReader pictures) throws BundleException {
        return new GoldenReader(bundle, entry, recognizer, pictures).read();
    }
}
