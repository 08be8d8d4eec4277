package dev.ppedge.core;

/** The stages of reading a picture, in their order. */
public enum Stage {
    /** Scaling and normalising the picture. */
    DET_PREPROCESS,
    /** The detector's network. */
    DET_NETWORK,
    /** From its map to boxes in reading order. */
    DET_POSTPROCESS,
    /** Cutting the lines out. */
    CROP,
    /** Scaling, network and decision of the classifier; nothing without one. */
    CLS,
    /** Scaling and normalising the crops. */
    REC_PREPROCESS,
    /** The recogniser's network. */
    REC_NETWORK,
    /** From its probabilities to text. */
    REC_POSTPROCESS
}
