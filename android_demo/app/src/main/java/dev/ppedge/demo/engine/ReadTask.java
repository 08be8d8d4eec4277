package dev.ppedge.demo.engine;

import android.content.Context;
import android.graphics.Bitmap;
import android.net.Uri;
import dev.ppedge.core.Reading;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import dev.ppedge.demo.logic.Streams;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;

/** Takes a picture into the app, decodes it, shows it, reads it. */
public final class ReadTask implements Engine.Task<PictureReading>, Engine.Fetching {
    private static final long MAX_BYTES = 128 << 20;
    private static final String HALF = ".half";

    private final Uri document;
    private final File temporary;
    private final File picture;
    private final Settings settings;
    private File fetched; // what is to be the picture; null if that is there already

    /**
     * @param document a document to copy to {@code picture} first; null to read {@code picture} as it is
     * @param picture where the app keeps the current picture, for the time after a turn or a restart
     * @param settings with which to read
     */
    public ReadTask(Uri document, File picture, Settings settings) {
        this(document, null, picture, settings);
    }

    /**
     * @param temporary the document's file if it is to go once it is copied, whether that went well or not; null for none
     */
    public ReadTask(Uri document, File temporary, File picture, Settings settings) {
        this.document = document;
        this.temporary = temporary;
        this.picture = picture;
        this.settings = settings;
    }

    /** Deletes what copies left that were under way when the app was ended. */
    public static void forgetHalves(File picture) {
        File[] files = picture.getParentFile().listFiles();
        for (File file : files == null ? new File[0] : files) {
            if (file.getName().startsWith(picture.getName()) && file.getName().endsWith(HALF)) {
                Streams.delete(file);
            }
        }
    }

    @Override
    public void fetch(Context context, Job.Ticket<?> ticket) throws ProblemException {
        if (document == null) {
            return;
        }
        ticket.requireGoing();
        Streams.delete(picture); // if this one cannot be had, the last one must not be read in its place
        // An earlier copy may still be under way, and wait for its app.
        File half = new File(picture.getPath() + System.nanoTime() + HALF);
        try (InputStream in = context.getContentResolver().openInputStream(document)) {
            if (in == null) {
                throw new ProblemException(Problem.BAD_PICTURE, "");
            }
            Streams.write(in, half, MAX_BYTES);
            ticket.requireGoing();
            fetched = half;
        } catch (Streams.WriteException error) {
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        } catch (IOException | RuntimeException error) { // another app's document: it may throw what it likes
            throw new ProblemException(Problem.BAD_PICTURE, String.valueOf(error.getMessage()), error);
        } finally {
            if (fetched == null) {
                Streams.delete(half);
            }
            if (temporary != null) {
                Streams.delete(temporary);
            }
        }
    }

    @Override
    public PictureReading run(Engine engine, Job.Ticket<PictureReading> ticket) throws Exception {
        if (fetched != null) {
            keep();
        }
        Bitmap bitmap = Pictures.decode(picture);
        ticket.publish(new PictureReading(bitmap, null, settings, null));
        Models models = engine.models(settings);
        ticket.requireGoing();
        Reading reading = models.pipeline().read(Pictures.image(bitmap), settings.applyTo(models.manifest.db));
        return new PictureReading(bitmap, reading, settings, models.recognizer().name);
    }

    private void keep() throws ProblemException {
        try {
            Streams.rename(fetched, picture);
        } catch (Streams.WriteException error) {
            Streams.delete(fetched);
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        }
    }
}
