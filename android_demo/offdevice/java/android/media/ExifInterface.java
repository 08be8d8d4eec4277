package android.media;

import java.io.IOException;

/** Of pictures without EXIF data, such as all that are read here: they are upright already. */
public class ExifInterface {
    public static final String TAG_ORIENTATION = "Orientation";

    public ExifInterface(String path) throws IOException {}

    public int getAttributeInt(String tag, int otherwise) {
        return otherwise;
    }
}
