package dev.ppedge.core;

/** CTC's best path (Graves et al. 2006): the likeliest class of each step, repeats collapsed, blanks dropped. */
public final class CtcDecoder {
    private static final int BLANK = 0;

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
        if (classes != characters.size()) {
            throw new BundleException(
                    Fault.OUTPUT, "rec",
                    "The recogniser gives " + classes + " classes, the character set has " + characters.size() + ".",
                    "The model and charset.txt are not of one bundle; copy the bundle again.");
        }
        if (steps < 0 || probabilities.length != (long) steps * classes) {
            throw new BundleException(
                    Fault.OUTPUT, "rec",
                    "The recogniser gives " + probabilities.length + " values for " + steps + " steps of " + classes
                            + " classes.",
                    "The model does not belong to this bundle.");
        }
        StringBuilder text = new StringBuilder();
        double sum = 0;
        int kept = 0;
        int before = BLANK;
        for (int step = 0; step < steps; step++) {
            int best = likeliest(probabilities, step * classes, classes);
            if (best != BLANK && best != before) {
                text.append(characters.character(best));
                sum += probabilities[step * classes + best];
                kept++;
            }
            before = best;
        }
        return new Text(text.toString(), kept == 0 ? 0.0 : sum / kept);
    }

    /** The first of the largest values. */
    private static int likeliest(float[] values, int begin, int count) throws BundleException {
        int best = 0;
        for (int i = 0; i < count; i++) {
            float value = values[begin + i];
            if (value != value || Float.isInfinite(value)) {
                throw new BundleException(
                        Fault.NOT_A_NUMBER, "rec",
                        "The recogniser gives " + value + " instead of a probability.",
                        "The model is damaged, or its precision does not suit this device.");
            }
            if (value > values[begin + best]) {
                best = i;
            }
        }
        return best;
    }
}
