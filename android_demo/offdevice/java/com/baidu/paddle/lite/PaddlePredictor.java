package com.baidu.paddle.lite;

/** What the app uses of Paddle Lite's Java API, over {@code lite_jni.cc}. */
public class PaddlePredictor {
    static {
        System.loadLibrary("ppedge_lite_jni");
    }

    private final long handle;

    private PaddlePredictor(long handle) {
        this.handle = handle;
    }

    public static PaddlePredictor createPaddlePredictor(ConfigBase config) {
        MobileConfig mobile = (MobileConfig) config;
        long handle = create(mobile.model, mobile.threads, mobile.powerMode.ordinal());
        return handle == 0 ? null : new PaddlePredictor(handle);
    }

    public Tensor getInput(int index) {
        return new Tensor(this, index, true);
    }

    public Tensor getOutput(int index) {
        return new Tensor(this, index, false);
    }

    public boolean run() {
        run(handle);
        return true;
    }

    public String getVersion() {
        return version(handle);
    }

    /** Paddle Lite's memory goes with the object, as that of its own classes does. */
    @Override
    protected void finalize() {
        delete(handle);
    }

    boolean resize(int index, long[] shape) {
        resize(handle, index, shape);
        return true;
    }

    boolean setData(int index, float[] data) {
        return setData(handle, index, data);
    }

    long[] shape(int index, boolean input) {
        return shape(handle, index, input);
    }

    float[] getFloatData(int index, boolean input) {
        return getFloatData(handle, index, input);
    }

    private static native long create(String model, int threads, int powerMode);

    private static native void delete(long handle);

    private static native void run(long handle);

    private static native String version(long handle);

    private static native void resize(long handle, int index, long[] shape);

    private static native boolean setData(long handle, int index, float[] data);

    private static native long[] shape(long handle, int index, boolean input);

    private static native float[] getFloatData(long handle, int index, boolean input);
}
