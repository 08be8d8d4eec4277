package dev.ppedge.core;

/** The decision of the classifier of upside-down lines. */
public final class Classifier {
    private Classifier() {}

    /**
     * Whether a line is upside down and has to be turned by 180 degrees.
     *
     * @param output the network's, (1, 2): the probabilities of upright and of upside down
     * @param turnScore the manifest's
     * @throws BundleException if the output has another shape, or is not a number
     */
    public static boolean upsideDown(Tensor output, double turnScore) throws BundleException {
        if (output.rank() != 2 || output.size(0) != 1 || output.size(1) != 2) {
            throw new BundleException(
                    Fault.OUTPUT, "cls",
                    "The classifier gives the shape " + output.shapeText() + ", not [1, 2].",
                    "The model does not belong to this bundle.");
        }
        float probability = output.data[1];
        if (Float.isNaN(probability)) {
            throw new BundleException(
                    Fault.NOT_A_NUMBER, "cls",
                    "The classifier gives no number.", "The model is damaged.");
        }
        return probability > turnScore;
    }
}
