package com.baidu.paddle.lite;

/** What every method of these stubs does if it is ever called. */
final class Stub {
    private Stub() {}

    static IllegalStateException called() {
        return new IllegalStateException("a compile stub of Paddle Lite was called");
    }
}
