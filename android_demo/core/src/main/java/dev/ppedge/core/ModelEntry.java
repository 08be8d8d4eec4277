package dev.ppedge.core;

import java.io.File;

/** A model of a bundle: the manifest's {@code models.det}, {@code models.rec} or {@code models.cls}. */
public final class ModelEntry extends FileEntry {
    /** {@code fp32}, {@code fp16} or {@code int8}. */
    public final String precision;

    /** Of Paddle Lite's opt: {@code v2.13-rc}. */
    public final String optVersion;

    /**
     * @param file path, size and hash
     * @param precision as it was converted
     * @param optVersion of the opt that wrote it
     */
    public ModelEntry(FileEntry file, String precision, String optVersion) {
        super(file.path, file.bytes, file.sha256);
        this.precision = precision;
        this.optVersion = optVersion;
    }

    /**
     * Checks size, hash and header: to be done before native code sees the file.
     *
     * @param bundle the folder
     * @return the header
     * @throws BundleException if the file is missing, damaged, foreign, or not the one that the manifest names
     */
    public NbHeader checkModel(File bundle) throws BundleException {
        NbHeader header = NbHeader.read(check(bundle));
        if (!header.optVersion.equals(optVersion)) {
            throw new BundleException(
                    path + " was written by opt " + header.optVersion + ", the manifest says " + optVersion + ".",
                    "Make the bundle again.");
        }
        return header;
    }
}
