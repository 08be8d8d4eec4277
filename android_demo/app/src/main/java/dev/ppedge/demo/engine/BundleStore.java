package dev.ppedge.demo.engine;

import android.content.Context;
import android.content.res.AssetManager;
import dev.ppedge.core.BundleException;
import dev.ppedge.core.FileEntry;
import dev.ppedge.core.GoldenEntry;
import dev.ppedge.core.Manifest;
import dev.ppedge.core.RecognizerEntry;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Streams;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * The bundle as files: Paddle Lite opens a model by its path only, and assets have none.
 *
 * <p>The folder is named after the manifest's hash and renamed when it is whole, so an update of the app, or a copy that
 * was interrupted, never leaves a mixture.
 */
final class BundleStore {
    private static final String ASSETS = "bundle/";
    private static final String MANIFEST = "manifest.json";
    private static final String PREFIX = "bundle-";
    private static final long MAX_MANIFEST = 8 << 20;
    private static final long MAX_FILE = 256 << 20;

    /** Where the files lie. */
    final File folder;

    /** The bundle's. */
    final Manifest manifest;

    private BundleStore(File folder, Manifest manifest) {
        this.folder = folder;
        this.manifest = manifest;
    }

    /**
     * Returns the app's bundle, copied if it was not yet.
     *
     * @throws ProblemException NO_BUNDLE, BAD_BUNDLE or NO_STORAGE
     */
    static BundleStore open(Context context) throws ProblemException {
        AssetManager assets = context.getAssets();
        byte[] json = manifestOf(assets);
        Manifest manifest = parsed(json);
        File folder = new File(context.getFilesDir(), PREFIX + Streams.sha256(json).substring(0, 16));
        BundleStore store = new BundleStore(folder, manifest);
        if (!folder.isDirectory()) {
            store.copy(context.getFilesDir(), assets);
        }
        return store;
    }

    /**
     * Reads the manifest of the app's bundle, and copies nothing.
     *
     * @throws ProblemException NO_BUNDLE or BAD_BUNDLE
     */
    static Manifest readManifest(Context context) throws ProblemException {
        return parsed(manifestOf(context.getAssets()));
    }

    private static byte[] manifestOf(AssetManager assets) throws ProblemException {
        try (InputStream in = assets.open(ASSETS + MANIFEST)) {
            return Streams.read(in, MAX_MANIFEST);
        } catch (FileNotFoundException error) {
            throw new ProblemException(Problem.NO_BUNDLE, "assets/" + ASSETS + MANIFEST, error);
        } catch (IOException error) {
            throw new ProblemException(Problem.BAD_BUNDLE, MANIFEST + ": " + error.getMessage(), error);
        }
    }

    private static Manifest parsed(byte[] json) throws ProblemException {
        try {
            return Manifest.read(json);
        } catch (BundleException error) {
            throw new ProblemException(error);
        }
    }

    private void copy(File files, AssetManager assets) throws ProblemException {
        File[] earlier = files.listFiles();
        for (File file : earlier == null ? new File[0] : earlier) {
            if (file.getName().startsWith(PREFIX)) {
                Streams.delete(file);
            }
        }
        File half = new File(files, PREFIX + "half");
        String name = MANIFEST;
        try {
            Streams.makeFolder(half);
            for (FileEntry entry : entries()) {
                name = entry.path;
                File target = entry.in(half);
                Streams.makeFolder(target.getParentFile());
                try (InputStream in = assets.open(ASSETS + name)) {
                    Streams.write(in, target, MAX_FILE);
                }
            }
            Streams.rename(half, folder);
        } catch (Streams.WriteException error) {
            Streams.delete(half);
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        } catch (FileNotFoundException error) {
            Streams.delete(half);
            throw new ProblemException(Problem.BAD_BUNDLE, name + " is not in the app", error);
        } catch (IOException error) {
            Streams.delete(half);
            throw new ProblemException(Problem.BAD_BUNDLE, name + ": " + error.getMessage(), error);
        }
    }

    private List<FileEntry> entries() {
        List<FileEntry> all = new ArrayList<FileEntry>();
        all.add(manifest.det);
        for (RecognizerEntry recognizer : manifest.recognizers) {
            all.add(recognizer);
            all.add(recognizer.charset);
        }
        if (manifest.cls != null) {
            all.add(manifest.cls);
        }
        for (GoldenEntry golden : manifest.golden) {
            all.addAll(golden.files);
        }
        return all;
    }

    /** Deletes the copy. */
    void delete() {
        Streams.delete(folder);
    }
}
