package dev.ppedge.demo.engine;

import dev.ppedge.core.Manifest;

/** What the bundle's screen shows; holds no network, so that they can be freed. */
public final class BundleFacts {
    /** The bundle's. */
    public final Manifest manifest;

    /** Number of characters that can be read. */
    public final int characters;

    /** Paddle Lite's version; may be empty. */
    public final String runtime;

    BundleFacts(Models models) {
        manifest = models.manifest;
        characters = models.characters.size() - 1;
        runtime = models.runtime;
    }
}
