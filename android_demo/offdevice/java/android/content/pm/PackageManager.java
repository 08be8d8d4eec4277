package android.content.pm;

/** Knows the app alone. */
public class PackageManager {
    /** There is no such app. */
    public static class NameNotFoundException extends Exception {
        private static final long serialVersionUID = 1;
    }

    public PackageInfo getPackageInfo(String name, int flags) throws NameNotFoundException {
        PackageInfo info = new PackageInfo();
        info.versionName = System.getProperty("ppedge.app", "");
        return info;
    }
}
