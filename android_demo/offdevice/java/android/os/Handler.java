package android.os;

/** Puts messages into a looper's queue. */
public class Handler {
    private final Looper looper;

    public Handler(Looper looper) {
        this.looper = looper;
    }

    public boolean post(Runnable message) {
        return looper.messages.add(message);
    }
}
