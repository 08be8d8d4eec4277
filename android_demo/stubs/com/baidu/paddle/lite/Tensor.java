package com.baidu.paddle.lite;

/** Compile stub; see README.md. */
public class Tensor {
    Tensor() {}

    /** Returns whether it could. */
    public boolean resize(long[] shape) {
        throw Stub.called();
    }

    /** Returns false if the length is not the shape's. */
    public boolean setData(float[] data) {
        throw Stub.called();
    }

    /** The sizes. */
    public long[] shape() {
        throw Stub.called();
    }

    /** A copy of the values. */
    public float[] getFloatData() {
        throw Stub.called();
    }
}
