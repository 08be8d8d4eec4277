package dev.ppedge.demo.engine;

import android.graphics.Bitmap;
import dev.ppedge.core.Reading;
import dev.ppedge.demo.logic.Settings;

/** A picture, and what was read in it. */
public final class PictureReading {
    /** Upright, within bounds. */
    public final Bitmap bitmap;

    /** Null as long as it is being read. */
    public final Reading reading;

    /** With which it was read. */
    public final Settings settings;

    /** The name of the recogniser that read it; empty where the bundle has one, null as long as it is being read. */
    public final String recognizer;

    PictureReading(Bitmap bitmap, Reading reading, Settings settings, String recognizer) {
        this.bitmap = bitmap;
        this.reading = reading;
        this.settings = settings;
        this.recognizer = recognizer;
    }
}
