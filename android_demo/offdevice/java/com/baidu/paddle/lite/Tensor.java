package com.baidu.paddle.lite;

/** What the app uses of Paddle Lite's Java API, over {@code lite_jni.cc}. */
public class Tensor {
    private final PaddlePredictor predictor;
    private final int index;
    private final boolean input;

    Tensor(PaddlePredictor predictor, int index, boolean input) {
        this.predictor = predictor;
        this.index = index;
        this.input = input;
    }

    public boolean resize(long[] shape) {
        return input && predictor.resize(index, shape);
    }

    public boolean setData(float[] data) {
        return input && predictor.setData(index, data);
    }

    public long[] shape() {
        return predictor.shape(index, input);
    }

    public float[] getFloatData() {
        return predictor.getFloatData(index, input);
    }
}
