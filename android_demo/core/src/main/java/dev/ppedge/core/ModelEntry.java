package dev.ppedge.core;

import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A model of a bundle: the manifest's {@code models.det}, {@code models.cls}, or a recogniser's. */
public class ModelEntry extends FileEntry {
    /** {@code fp32}, {@code fp16} or {@code int8}. */
    public final String precision;

    /** Of Paddle Lite's opt: {@code v2.13-rc}. */
    public final String optVersion;

    /** The stages that led to it, newest first. */
    public final List<ChainLink> chain;

    /**
     * @param file path, size and hash
     * @param precision as it was converted
     * @param optVersion of the opt that wrote it
     * @param chain the stages that led to it, newest first
     */
    public ModelEntry(FileEntry file, String precision, String optVersion, List<ChainLink> chain) {
        super(file.path, file.bytes, file.sha256);
        this.precision = precision;
        this.optVersion = optVersion;
        this.chain = Collections.unmodifiableList(new ArrayList<ChainLink>(chain));
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
                    Fault.CHANGED, path,
                    path + " was written by opt " + header.optVersion + ", the manifest says " + optVersion + ".",
                    "Make the bundle again.");
        }
        return header;
    }
}
