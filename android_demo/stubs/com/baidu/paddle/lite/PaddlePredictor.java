package com.baidu.paddle.lite;

/** Compile stub; see README.md. */
public class PaddlePredictor {
    PaddlePredictor() {}

    /** Returns null if the model cannot be loaded. */
    public static PaddlePredictor createPaddlePredictor(ConfigBase config) {
        throw Stub.called();
    }

    /** May return null. */
    public Tensor getInput(int index) {
        throw Stub.called();
    }

    /** May return null. */
    public Tensor getOutput(int index) {
        throw Stub.called();
    }

    /** Returns true, whatever happened. */
    public boolean run() {
        throw Stub.called();
    }

    /** {@code v2.13-rc}, or {@code branch(commit)}. */
    public String getVersion() {
        throw Stub.called();
    }
}
