package dev.ppedge.core;

/** Detect, crop, turn, recognise. Not for two threads at a time. */
public final class Pipeline {
    private final Network det;
    private final Network rec;
    private final Network cls;
    private final Manifest manifest;
    private final CharacterSet characters;

    /**
     * @param det the detector
     * @param rec the recogniser
     * @param cls the classifier; null where the bundle has none
     * @param manifest the bundle's
     * @param characters the bundle's
     */
    public Pipeline(Network det, Network rec, Network cls, Manifest manifest, CharacterSet characters) {
        this.det = det;
        this.rec = rec;
        this.cls = cls;
        this.manifest = manifest;
        this.characters = characters;
    }

    /**
     * Reads a picture with the bundle's thresholds.
     *
     * @throws BundleException if a network failed, or gave something of another shape; its cause is what the network threw
     */
    public Reading read(Image image) throws BundleException {
        return read(image, manifest.db);
    }

    /**
     * Reads a picture.
     *
     * @param spec thresholds, for instance a user's
     * @throws BundleException if a network failed, or gave something of another shape; its cause is what the network threw
     */
    public Reading read(Image image, DbSpec spec) throws BundleException {
        throw new UnsupportedOperationException();
    }
}
