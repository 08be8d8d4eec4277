package dev.ppedge.core;

/** CTC's best path (Graves et al. 2006): the likeliest class of each step, repeats collapsed, blanks dropped. */
public final class CtcDecoder {
    private CtcDecoder() {}

    /**
     * Decodes one line.
     *
     * @param probabilities steps x classes values, softmax done; class 0 is the blank
     * @param steps T
     * @param classes C
     * @param characters of the classes 1 to C - 1
     * @throws BundleException if the numbers do not fit each other, or a value is not a number
     */
    public static Text decode(float[] probabilities, int steps, int classes, CharacterSet characters)
            throws BundleException {
        throw new UnsupportedOperationException();
    }
}
