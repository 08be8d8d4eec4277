package dev.ppedge.core;

/** Whatever runs a model: Paddle Lite on the phone, recorded outputs in a test. */
public interface Network {
    /**
     * Runs the network once.
     *
     * @param input what {@link Preprocess} made
     * @return its first output
     * @throws Exception if it fails, in whatever way
     */
    Tensor run(Tensor input) throws Exception;
}
