package dev.ppedge.core;

import java.util.List;

/** Compares what this device computes with what Python computed, stage by stage, on a bundle's golden pictures. */
public final class SelfTest {
    private SelfTest() {}

    /**
     * Runs one golden picture.
     *
     * <p>Each stage gets the golden result of the stage before, so that a difference belongs to the stage that is named.
     *
     * @param golden read by {@link GoldenCase#read}
     * @param manifest the bundle's
     * @param characters the bundle's
     * @param det the detector; null to leave the networks out
     * @param rec the recogniser; null likewise
     * @param cls the classifier; null likewise, or where the bundle has none
     * @return one check a stage, in the stages' order
     * @throws BundleException if a network failed or gave something of another shape
     */
    public static List<Check> run(
            GoldenCase golden, Manifest manifest, CharacterSet characters, Network det, Network rec, Network cls)
            throws BundleException {
        throw new UnsupportedOperationException();
    }
}
