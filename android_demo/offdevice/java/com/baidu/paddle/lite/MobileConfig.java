package com.baidu.paddle.lite;

/** What the app uses of Paddle Lite's Java API, over {@code lite_jni.cc}. */
public class MobileConfig extends ConfigBase {
    String model;
    int threads = 1;
    PowerMode powerMode = PowerMode.LITE_POWER_NO_BIND;

    public void setModelFromFile(String path) {
        model = path;
    }

    public void setThreads(int count) {
        threads = count;
    }

    public void setPowerMode(PowerMode mode) {
        powerMode = mode;
    }
}
