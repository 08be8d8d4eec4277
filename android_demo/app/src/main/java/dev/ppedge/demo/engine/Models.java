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
import dev.ppedge.core.RecognizerEntry;
import dev.ppedge.core.RuntimeAge;
import dev.ppedge.demo.logic.CrashMarker;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import dev.ppedge.demo.logic.Streams;
import java.io.File;

/**
 * The networks of a bundle that read together, loaded: of several recognisers, the one that was chosen. For the engine's
 * thread only.
 */
public final class Models {
    private static final long MAX_CHARSET = 1 << 20;

    /** Where the bundle lies. */
    public final File folder;

    /** The bundle's. */
    public final Manifest manifest;

    /** The detector. */
    public final LitePredictor det;

    /** The classifier; null where the bundle has none. */
    public final LitePredictor cls;

    /** As Paddle Lite says; may be empty. */
    public final String runtime;

    private Settings settings;
    private RecognizerEntry recognizer;
    private CharacterSet characters;
    private LitePredictor rec;
    private Pipeline pipeline;

    private Models(
            BundleStore store, Settings settings, CrashMarker marker, boolean oldAllowed)
            throws ProblemException, BundleException {
        this.settings = settings;
        folder = store.folder;
        manifest = store.manifest;
        // All files before any network: a damaged recogniser is named before native code runs at all.
        NbHeader header = manifest.det.checkModel(folder);
        for (RecognizerEntry each : manifest.recognizers) {
            each.checkModel(folder);
            charactersOf(each);
        }
        if (manifest.cls != null) {
            manifest.cls.checkModel(folder);
        }
        LitePredictor.requireRuntime();
        det = load(manifest.det, marker);
        runtime = det.runtimeVersion();
        if (header.ageOf(runtime) == RuntimeAge.OLDER && !oldAllowed) {
            throw new ProblemException(
                    Problem.OLD_RUNTIME, "Paddle Lite " + runtime + " < opt " + header.optVersion);
        }
        cls = manifest.cls == null ? null : load(manifest.cls, marker);
        loadRecognizer(marker);
    }

    private void loadRecognizer(CrashMarker marker) throws ProblemException, BundleException {
        recognizer = chosen(manifest, settings);
        characters = charactersOf(recognizer);
        rec = load(recognizer, marker);
        pipeline = new Pipeline(det, rec, cls, manifest, recognizer, characters);
    }

    /** As they were loaded. */
    public Settings settings() {
        return settings;
    }

    /** Which of the bundle's recognisers is loaded. */
    public RecognizerEntry recognizer() {
        return recognizer;
    }

    /** That recogniser's. */
    public CharacterSet characters() {
        return characters;
    }

    /** That recogniser's network. */
    public LitePredictor rec() {
        return rec;
    }

    /** All networks together. */
    public Pipeline pipeline() {
        return pipeline;
    }

    /** Returns the recogniser that the settings name; the first where they name none that is in the bundle. */
    private static RecognizerEntry chosen(Manifest manifest, Settings settings) {
        RecognizerEntry named = manifest.recognizer(settings.recognizer);
        return named == null ? manifest.recognizers.get(0) : named;
    }

    private CharacterSet charactersOf(RecognizerEntry entry) throws BundleException {
        return entry.characters(Files.read(entry.charset.check(folder), entry.charset.path, MAX_CHARSET));
    }

    /**
     * Puts the recogniser that settings name in the place of the one that is loaded, if that is another; the other networks
     * stay.
     *
     * @param newSettings that load a network as the ones do with which these were loaded
     * @throws ProblemException if it cannot be loaded; there is none then
     */
    void choose(Settings newSettings, CrashMarker marker) throws ProblemException {
        settings = newSettings;
        if (recognizer == chosen(manifest, newSettings)) {
            return;
        }
        rec = null;
        pipeline = null;
        Engine.freeNetworks(); // so that never two recognisers are in memory
        try {
            chosen(manifest, newSettings).checkModel(folder);
            loadRecognizer(marker);
        } catch (BundleException error) {
            Streams.delete(folder);
            throw new ProblemException(error);
        }
    }

    /**
     * Reads a golden picture with all that Python computed for it, with the recogniser that is loaded.
     *
     * @throws BundleException if a file is damaged; the copy of the bundle is deleted then, and made anew at the next try
     */
    GoldenCase golden(GoldenEntry entry) throws BundleException {
        try {
            return GoldenCase.read(folder, entry, recognizer, new Pictures());
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
