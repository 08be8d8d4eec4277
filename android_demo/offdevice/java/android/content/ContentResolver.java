package android.content;

import android.net.Uri;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.InputStream;

/** Documents are files. */
public class ContentResolver {
    public InputStream openInputStream(Uri document) throws FileNotFoundException {
        return new FileInputStream(document.getPath());
    }
}
