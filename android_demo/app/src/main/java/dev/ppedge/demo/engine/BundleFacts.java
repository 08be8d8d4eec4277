package dev.ppedge.demo.engine;

import dev.ppedge.core.Manifest;
import dev.ppedge.core.RecognizerEntry;

/** What the bundle's screen shows; holds no network, so that they can be freed. */
public final class BundleFacts {
    /** The bundle's. */
    public final Manifest manifest;

    /** The one of its recognisers that reads. */
    public final RecognizerEntry recognizer;

    /** Paddle Lite's version; may be empty. */
    public final String runtime;

    BundleFacts(Models models) {
        manifest = models.manifest;
        recognizer = models.recognizer();
        runtime = models.runtime;
    }
}
