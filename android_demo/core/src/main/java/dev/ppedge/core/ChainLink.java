package dev.ppedge.core;

/** A stage of the road on which a model was made: an entry of the manifest's {@code models.det.chain}. */
public final class ChainLink {
    /** The stage's name: {@code convert}. */
    public final String stage;

    /** Name of the run's folder. */
    public final String run;

    /** Of the stage's own manifest, 64 hexadecimal digits. */
    public final String manifestSha256;

    /** Of the run's recipe, 64 hexadecimal digits. */
    public final String recipeSha256;

    /** See the fields. */
    public ChainLink(String stage, String run, String manifestSha256, String recipeSha256) {
        this.stage = stage;
        this.run = run;
        this.manifestSha256 = manifestSha256;
        this.recipeSha256 = recipeSha256;
    }
}
