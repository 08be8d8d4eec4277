package dev.ppedge.core;

import java.util.List;

/** A bundle's {@code manifest.json}, schema 1, checked. Keys that are not known are ignored. */
public final class Manifest {
    /** The only schema that is understood. */
    public static final int SCHEMA = 1;

    /** Version of the toolkit that made the bundle. */
    public String ppedge;

    /** Of the bundle. */
    public String name;

    /** What is known of the models' and pictures' licence. */
    public String licence;

    /** The detector. */
    public ModelEntry det;

    /** Its pre-processing. */
    public DetPreprocess detPreprocess;

    /** Its post-processing. */
    public DbSpec db;

    /** The recogniser. */
    public ModelEntry rec;

    /** Its pre-processing. */
    public LinePreprocess recPreprocess;

    /** Its number of classes, the blank included. */
    public int classes;

    /** The classifier of upside-down lines; null where the bundle has none. */
    public ModelEntry cls;

    /** Its pre-processing; null without one. */
    public LinePreprocess clsPreprocess;

    /** A line is turned when the probability of class 1 is above this; 0 without a classifier. */
    public double turnScore;

    /** The character set's file. */
    public FileEntry charset;

    /** A crop at least this many times as high as wide holds a line that runs downwards. */
    public double uprightRatio;

    /** Boxes whose top-left corners differ by less than this many pixels in y stand in one line. */
    public double sameLine;

    /** The golden pictures; may be empty. */
    public List<GoldenEntry> golden;

    private Manifest() {}

    /**
     * Reads a manifest.
     *
     * @param json the file's text
     * @throws BundleException if it is not JSON, of another schema, or a value is missing, of a wrong type or out of range
     */
    public static Manifest read(String json) throws BundleException {
        throw new UnsupportedOperationException();
    }
}
