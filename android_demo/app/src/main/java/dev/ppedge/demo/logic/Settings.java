package dev.ppedge.demo.logic;

import dev.ppedge.core.DbSpec;

/** What the user chose, within bounds whatever was stored. */
public final class Settings {
    /** More threads than this help no model of this size. */
    public static final int MAX_THREADS = 8;

    /** Instead of a threshold: the bundle's own. */
    public static final double AS_BUNDLE = Double.NaN;

    /** Steps of the thresholds' sliders: 0.05. */
    public static final int STEPS_OF_ONE = 20;

    /** Largest ratio by which boxes grow. */
    public static final double MAX_UNCLIP = 4;

    /** 1 to {@link #MAX_THREADS}. */
    public final int threads;

    /** Which cores. */
    public final PowerMode powerMode;

    /** 0.05 to 0.95, or {@link #AS_BUNDLE}. */
    public final double thresh;

    /** 0.05 to 0.95, or {@link #AS_BUNDLE}. */
    public final double boxThresh;

    /** 0.5 to {@link #MAX_UNCLIP}, or {@link #AS_BUNDLE}. */
    public final double unclipRatio;

    /** Lines below this are not shown; 0 to 1. */
    public final double minScore;

    /** The name of the recogniser that reads; of none, or of one that the bundle lacks, its first one reads. */
    public final String recognizer;

    /** Arguments out of range are moved into it; a null power mode is {@link PowerMode#HIGH}, a null name none. */
    public Settings(
            int threads, PowerMode powerMode, double thresh, double boxThresh, double unclipRatio, double minScore,
            String recognizer) {
        this.threads = Math.max(1, Math.min(threads, MAX_THREADS));
        this.powerMode = powerMode == null ? PowerMode.HIGH : powerMode;
        this.thresh = within(thresh, 0.05, 0.95);
        this.boxThresh = within(boxThresh, 0.05, 0.95);
        this.unclipRatio = within(unclipRatio, 0.5, MAX_UNCLIP);
        this.minScore = Double.isNaN(minScore) ? 0 : within(minScore, 0, 1);
        this.recognizer = recognizer == null ? "" : recognizer;
    }

    /** Returns what a phone starts with. */
    public static Settings standard(int cores) {
        return new Settings(Math.min(4, cores), PowerMode.HIGH, AS_BUNDLE, AS_BUNDLE, AS_BUNDLE, 0, "");
    }

    /** Returns the same with other threads and cores and another recogniser: what a benchmark asks for. */
    public Settings with(int newThreads, PowerMode newMode, String newRecognizer) {
        return new Settings(newThreads, newMode, thresh, boxThresh, unclipRatio, minScore, newRecognizer);
    }

    /** Returns the same with another recogniser. */
    public Settings with(String newRecognizer) {
        return with(threads, powerMode, newRecognizer);
    }

    /** Returns the bundle's thresholds with the user's in their place. */
    public DbSpec applyTo(DbSpec bundle) {
        return bundle.with(
                Double.isNaN(thresh) ? bundle.thresh : thresh,
                Double.isNaN(boxThresh) ? bundle.boxThresh : boxThresh,
                Double.isNaN(unclipRatio) ? bundle.unclipRatio : unclipRatio);
    }

    /** Whether both load a network in the same way. */
    public boolean loadsLike(Settings other) {
        return threads == other.threads && powerMode == other.powerMode;
    }

    /** Whether a picture read with one need not be read again with the other. */
    public boolean readsLike(Settings other) {
        return Double.compare(thresh, other.thresh) == 0
                && Double.compare(boxThresh, other.boxThresh) == 0
                && Double.compare(unclipRatio, other.unclipRatio) == 0
                && recognizer.equals(other.recognizer);
    }

    /** In hundredths, so that what is stored as a float comes back as the same number. */
    private static double within(double value, double low, double high) {
        return Double.isNaN(value) ? value : Math.round(Math.max(low, Math.min(value, high)) * 100) / 100.0;
    }
}
