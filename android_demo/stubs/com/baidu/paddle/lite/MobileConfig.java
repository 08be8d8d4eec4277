package com.baidu.paddle.lite;

/** Compile stub; see README.md. */
public class MobileConfig extends ConfigBase {
    /** Path of the {@code .nb} file. */
    public void setModelFromFile(String path) {
        throw Stub.called();
    }

    /** Number of threads, at least 1. */
    public void setThreads(int threads) {
        throw Stub.called();
    }

    /** Which cores. */
    public void setPowerMode(PowerMode mode) {
        throw Stub.called();
    }
}
