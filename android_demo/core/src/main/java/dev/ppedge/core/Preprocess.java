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
        int[] size = spec.size(image.height, image.width);
        Image resized = Resize.linear(image, size[1], size[0]);
        float[] planes = new float[resized.bgr.length];
        for (int channel = 0; channel < 3; channel++) {
            normalise(resized, channel, planes, size[1], spec.mean(channel), spec.std(channel));
        }
        return new Tensor(new int[] {1, 3, size[0], size[1]}, planes);
    }

    /**
     * Scales, normalises and pads a line's crop for the recogniser or the classifier.
     *
     * @return (1, 3, spec.height, W), W at least spec.minWidth
     * @throws BundleException if the size cannot be held
     */
    public static Tensor line(Image crop, LinePreprocess spec) throws BundleException {
        int filled = spec.width(crop);
        int width = Math.max(spec.minWidth, filled);
        Image resized = Resize.linear(crop, filled, spec.height);
        int[] shape = {1, 3, spec.height, width};
        float[] planes = new float[Tensor.count(shape)];
        for (int channel = 0; channel < 3; channel++) {
            normalise(resized, channel, planes, width, spec.mean, spec.std);
        }
        return new Tensor(shape, planes);
    }

    /** Writes a channel into its plane, whose rows are {@code width} long. */
    private static void normalise(Image image, int channel, float[] planes, int width, double mean, double std) {
        float factor = (float) (1 / (255 * std));
        float shift = (float) (mean / std);
        float[] table = new float[256];
        for (int value = 0; value < 256; value++) {
            float scaled = value * factor; // a product rounded to float before the difference, as NumPy has it
            table[value] = scaled - shift;
        }
        for (int y = 0, in = channel; y < image.height; y++) {
            int out = (channel * image.height + y) * width;
            for (int x = 0; x < image.width; x++, in += 3) {
                planes[out++] = table[image.bgr[in] & 255];
            }
        }
    }
}
