package dev.ppedge.core;

/** From pictures to the networks' inputs. */
public final class Preprocess {
    private Preprocess() {}

    /**
     * Scales and normalises a picture for the detector.
     *
     * @return (1, 3, H', W')
     * @throws BundleException if the size cannot be held
     */
    public static Tensor det(Image image, DetPreprocess spec) throws BundleException {
        throw new UnsupportedOperationException();
    }

    /**
     * Scales, normalises and pads a line's crop for the recogniser or the classifier.
     *
     * @return (1, 3, spec.height, W), W at least spec.minWidth
     * @throws BundleException if the size cannot be held
     */
    public static Tensor line(Image crop, LinePreprocess spec) throws BundleException {
        throw new UnsupportedOperationException();
    }
}
