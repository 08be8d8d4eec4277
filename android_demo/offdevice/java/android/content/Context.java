package android.content;

import android.content.pm.PackageManager;
import android.content.res.AssetManager;
import android.os.PowerManager;
import java.io.File;

/** An app's place in the file system: three folders. */
public class Context {
    /** See {@link #getSystemService}. */
    public static final String POWER_SERVICE = "power";

    private final File files;
    private final File external;
    private final AssetManager assets;

    /**
     * @param files the app's own folder; made by the first who writes
     * @param external its folder on the shared storage; null for a phone that has none
     * @param assets what an APK packs as {@code assets/}
     */
    public Context(File files, File external, File assets) {
        this.files = files;
        this.external = external;
        this.assets = new AssetManager(assets);
    }

    public Context getApplicationContext() {
        return this;
    }

    public AssetManager getAssets() {
        return assets;
    }

    public File getFilesDir() {
        files.mkdirs();
        return files;
    }

    public File getExternalFilesDir(String type) {
        if (external != null) {
            external.mkdirs();
        }
        return external;
    }

    public ContentResolver getContentResolver() {
        return new ContentResolver();
    }

    public PackageManager getPackageManager() {
        return new PackageManager();
    }

    public String getPackageName() {
        return "dev.ppedge.demo";
    }

    public Object getSystemService(String name) {
        return new PowerManager();
    }
}
