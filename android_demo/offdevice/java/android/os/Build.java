package android.os;

/** No phone, and it says so in every report. */
public class Build {
    public static final String MANUFACTURER = "QEMU";
    public static final String MODEL = System.getProperty("ppedge.cpu", "");
    public static final String HARDWARE = "emulated";
    public static final String[] SUPPORTED_ABIS = {"arm64-v8a"};

    /** The system's version: that of an Android which says neither its chip's name nor how hot it is. */
    public static class VERSION {
        public static final String RELEASE = "7.0";
        public static final int SDK_INT = 24;
    }
}
