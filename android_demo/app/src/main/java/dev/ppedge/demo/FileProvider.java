package dev.ppedge.demo;

import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.content.Intent;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.FileNotFoundException;
import java.util.regex.Pattern;

/**
 * Two kinds of files for other apps, each only by a grant that comes with an intent: {@code picture/camera.jpg}, which
 * the camera app writes, and {@code result/NAME.json}, which the user shares.
 */
public final class FileProvider extends ContentProvider {
    private static final String AUTHORITY = "dev.ppedge.demo.files";
    private static final String CAMERA = "camera.jpg";
    private static final Pattern RESULT = Pattern.compile("[a-z_]+-[A-Za-z0-9_-]{1,40}\\.json");

    /** Returns the file that the camera app writes. */
    static File cameraFile(Context context) {
        return new File(context.getCacheDir(), CAMERA);
    }

    /** Returns its address. */
    static Uri cameraUri() {
        return Uri.parse("content://" + AUTHORITY + "/picture/" + CAMERA);
    }

    /** Deletes what the camera app wrote. */
    static void forgetPhoto(Context context) {
        cameraFile(context).delete();
    }

    /** Ends the camera app's right to write the picture. */
    static void endGrants(Context context) {
        context.revokeUriPermission(
                cameraUri(), Intent.FLAG_GRANT_WRITE_URI_PERMISSION | Intent.FLAG_GRANT_READ_URI_PERMISSION);
    }

    /** Returns the address of a report. */
    static Uri resultUri(File report) {
        return Uri.parse("content://" + AUTHORITY + "/result/" + report.getName());
    }

    @Override
    public boolean onCreate() {
        return true;
    }

    @Override
    public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
        boolean camera = isCamera(uri);
        if (!camera && !mode.equals("r")) {
            throw new FileNotFoundException(uri + " is for reading only");
        }
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.parseMode(mode));
    }

    private boolean isCamera(Uri uri) {
        return cameraUri().getPath().equals(uri.getPath());
    }

    /** Only names of a known form: no path leads anywhere else. */
    private File file(Uri uri) throws FileNotFoundException {
        if (isCamera(uri)) {
            return cameraFile(getContext());
        }
        String name = String.valueOf(uri.getLastPathSegment());
        if (!("/result/" + name).equals(uri.getPath()) || !RESULT.matcher(name).matches()) {
            throw new FileNotFoundException(uri + " is no file of this app");
        }
        File folder = getContext().getExternalFilesDir(null);
        return new File(folder == null ? getContext().getFilesDir() : folder, name);
    }

    @Override
    public String getType(Uri uri) {
        return isCamera(uri) ? "image/jpeg" : "application/json";
    }

    @Override
    public Cursor query(Uri uri, String[] projection, String selection, String[] arguments, String order) {
        String[] columns = projection == null
                ? new String[] {OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE}
                : projection;
        MatrixCursor cursor = new MatrixCursor(columns, 1);
        try {
            File file = file(uri);
            MatrixCursor.RowBuilder row = cursor.newRow();
            for (String column : columns) {
                row.add(column.equals(OpenableColumns.DISPLAY_NAME) ? file.getName()
                        : column.equals(OpenableColumns.SIZE) ? (Object) file.length() : null);
            }
        } catch (FileNotFoundException error) {
            return cursor; // a provider answers what it does not know with no rows
        }
        return cursor;
    }

    @Override
    public Uri insert(Uri uri, ContentValues values) {
        throw new UnsupportedOperationException("files are only opened");
    }

    @Override
    public int update(Uri uri, ContentValues values, String selection, String[] arguments) {
        throw new UnsupportedOperationException("files are only opened");
    }

    @Override
    public int delete(Uri uri, String selection, String[] arguments) {
        throw new UnsupportedOperationException("files are only opened");
    }
}
