package android.content.pm;

/** What is known of an app. */
public class PackageInfo {
    public String versionName;
}
