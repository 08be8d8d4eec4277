package dev.ppedge.demo.engine;

import android.content.Context;
import dev.ppedge.core.BundleException;
import dev.ppedge.core.CharacterSet;
import dev.ppedge.core.Files;
import dev.ppedge.core.GoldenCase;
import dev.ppedge.core.GoldenEntry;
import dev.ppedge.core.Manifest;
import dev.ppedge.core.ModelEntry;
import dev.ppedge.core.NbHeader;
import dev.ppedge.core.Pipeline;
import dev.ppedge.core.RuntimeAge;
import dev.ppedge.demo.logic.CrashMarker;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import dev.ppedge.demo.logic.Streams;
import java.io.File;

/** A bundle's networks, loaded. */
public final class Models {
    private static final long MAX_CHARSET = 1 << 20;

    /** As they were loaded. */
    public final Settings settings;

    /** Where the bundle lies. */
    public final File folder;

    /** The bundle's. */
    public final Manifest manifest;

    /** The bundle's. */
    public final CharacterSet characters;

    /** The detector. */
    public final LitePredictor det;

    /** The recogniser. */
    public final LitePredictor rec;

    /** The classifier; null where the bundle has none. */
    public final LitePredictor cls;

    /** All of them together. */
    public final Pipeline pipeline;

    /** As Paddle Lite says; may be empty. */
    public final String runtime;

    private Models(
            BundleStore store, Settings settings, CrashMarker marker, boolean oldAllowed)
            throws ProblemException, BundleException {
        this.settings = settings;
        folder = store.folder;
        manifest = store.manifest;
        // All files before any network: a damaged recogniser is named before native code runs at all.
        NbHeader header = manifest.det.checkModel(folder);
        manifest.rec.checkModel(folder);
        if (manifest.cls != null) {
            manifest.cls.checkModel(folder);
        }
        characters = manifest.characters(
                Files.read(manifest.charset.check(folder), manifest.charset.path, MAX_CHARSET));
        LitePredictor.requireRuntime();
        det = load(manifest.det, marker);
        runtime = det.runtimeVersion();
        if (header.ageOf(runtime) == RuntimeAge.OLDER && !oldAllowed) {
            throw new ProblemException(
                    Problem.OLD_RUNTIME, "Paddle Lite " + runtime + " < opt " + header.optVersion);
        }
        rec = load(manifest.rec, marker);
        cls = manifest.cls == null ? null : load(manifest.cls, marker);
        pipeline = new Pipeline(det, rec, cls, manifest, characters);
    }

    /**
     * Reads a golden picture with all that Python computed for it.
     *
     * @throws BundleException if a file is damaged; the copy of the bundle is deleted then, and made anew at the next try
     */
    GoldenCase golden(GoldenEntry entry) throws BundleException {
        try {
            return GoldenCase.read(folder, entry, new Pictures());
        } catch (BundleException error) {
            Streams.delete(folder);
            throw error;
        }
    }

    private LitePredictor load(ModelEntry model, CrashMarker marker) throws ProblemException {
        return new LitePredictor(model.in(folder), settings, marker);
    }

    /**
     * Copies the bundle if it is a new one, checks it, and loads its networks.
     *
     * @param oldAllowed whether a runtime older than the models is used all the same
     * @throws ProblemException what is missing, damaged or too old
     */
    static Models load(Context context, Settings settings, CrashMarker marker, boolean oldAllowed)
            throws ProblemException {
        BundleStore store = BundleStore.open(context);
        try {
            return new Models(store, settings, marker, oldAllowed);
        } catch (BundleException error) {
            store.delete(); // the copy may be what is damaged: the next try makes a new one
            throw new ProblemException(error);
        }
    }
}
