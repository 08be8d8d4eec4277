package android.util;

/** The log is stderr. */
public class Log {
    public static int i(String tag, String message) {
        System.err.println(message);
        return 0;
    }

    public static int w(String tag, String message) {
        return i(tag, message);
    }
}
