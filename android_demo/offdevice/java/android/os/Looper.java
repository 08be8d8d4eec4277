package android.os;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** The main thread's queue of messages; whoever stands for the main thread calls {@link #next} again and again. */
public class Looper {
    private static final Looper MAIN = new Looper();

    final BlockingQueue<Runnable> messages = new LinkedBlockingQueue<Runnable>();

    private Looper() {}

    public static Looper getMainLooper() {
        return MAIN;
    }

    /** Waits for the next message and does what it says. */
    public void next() throws InterruptedException {
        messages.take().run();
    }
}
