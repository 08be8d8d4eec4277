package android.content.res;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/** Assets are the files of a folder. */
public class AssetManager {
    private final File folder;

    public AssetManager(File folder) {
        this.folder = folder;
    }

    /** @throws IOException a FileNotFoundException if there is no such asset, as on a phone */
    public InputStream open(String name) throws IOException {
        return new FileInputStream(new File(folder, name));
    }
}
