package dev.ppedge.demo.engine;

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
public final class ReadTask implements Engine.Task<PictureReading> {
    private static final long MAX_BYTES = 128 << 20;

    private final Uri document;
    private final File temporary;
    private final File picture;
    private final Settings settings;

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

    @Override
    public PictureReading run(Engine engine, Job.Ticket<PictureReading> ticket) throws Exception {
        if (document != null) {
            copy(engine);
        }
        Bitmap bitmap = Pictures.decode(picture);
        ticket.publish(new PictureReading(bitmap, null, settings));
        Models models = engine.models(settings);
        ticket.requireGoing();
        Reading reading = models.pipeline.read(Pictures.image(bitmap), settings.applyTo(models.manifest.db));
        return new PictureReading(bitmap, reading, settings);
    }

    private void copy(Engine engine) throws ProblemException {
        Streams.delete(picture); // if this one cannot be had, the last one must not be read in its place
        File half = new File(picture.getPath() + ".half");
        try (InputStream in = engine.context().getContentResolver().openInputStream(document)) {
            if (in == null) {
                throw new ProblemException(Problem.BAD_PICTURE, "");
            }
            Streams.write(in, half, MAX_BYTES);
            Streams.rename(half, picture);
        } catch (Streams.WriteException error) {
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        } catch (IOException | RuntimeException error) { // another app's document: it may throw what it likes
            throw new ProblemException(Problem.BAD_PICTURE, String.valueOf(error.getMessage()), error);
        } finally {
            Streams.delete(half);
            if (temporary != null) {
                Streams.delete(temporary);
            }
        }
    }
}
