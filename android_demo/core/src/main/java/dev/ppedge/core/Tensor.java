package dev.ppedge.core;

import java.util.Arrays;

/** A network's input or output: float values in C order. */
public final class Tensor {
    private static final int MAX_RANK = 8;
    private static final long MAX_VALUES = 1L << 26; // 256 MiB: more fits into no phone

    /** The data; its length is the product of the shape. Not copied. */
    public final float[] data;

    private final int[] shape;

    /**
     * @param shape at most 8 sizes, each at least 1
     * @param data as many values as the shape says; kept, not copied
     * @throws BundleException if they do not fit each other
     */
    public Tensor(int[] shape, float[] data) throws BundleException {
        if (count(shape) != data.length) {
            throw new BundleException(
                    Fault.SIZE, Arrays.toString(shape),
                    "A tensor of shape " + Arrays.toString(shape) + " has " + data.length + " values.",
                    "The model does not belong to this bundle, or a file is damaged.");
        }
        this.shape = shape.clone();
        this.data = data;
    }

    /**
     * Returns the number of values of a shape.
     *
     * @throws BundleException if a size is below 1, or the product is above 2^26
     */
    public static int count(int[] shape) throws BundleException {
        long count = 1;
        boolean fits = shape.length >= 1 && shape.length <= MAX_RANK;
        for (int i = 0; fits && i < shape.length; i++) {
            count *= shape[i];
            fits = shape[i] >= 1 && count <= MAX_VALUES;
        }
        if (!fits) {
            throw new BundleException(
                    Fault.SIZE, Arrays.toString(shape),
                    "A tensor cannot have the shape " + Arrays.toString(shape) + ".", "");
        }
        return (int) count;
    }

    /** Number of dimensions. */
    public int rank() {
        return shape.length;
    }

    /** Size of a dimension, 0 to rank - 1. */
    public int size(int dimension) {
        return shape[dimension];
    }

    /** The sizes, as Paddle Lite's {@code Tensor.resize} wants them. */
    public long[] longShape() {
        long[] sizes = new long[shape.length];
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = shape[i];
        }
        return sizes;
    }

    /** The sizes, for messages: {@code [1, 3, 32, 320]}. */
    public String shapeText() {
        return Arrays.toString(shape);
    }
}
