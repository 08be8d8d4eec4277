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
    private final File picture;
    private final Settings settings;

    /**
     * @param document a document to copy to {@code picture} first; null to read {@code picture} as it is
     * @param picture where the app keeps the current picture, for the time after a turn or a restart
     * @param settings with which to read
     */
    public ReadTask(Uri document, File picture, Settings settings) {
        this.document = document;
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
        if (ticket.isStopped()) {
            throw new ProblemException(Problem.STOPPED, "");
        }
        Reading reading = models.pipeline.read(Pictures.image(bitmap), settings.applyTo(models.manifest.db));
        return new PictureReading(bitmap, reading, settings);
    }

    private void copy(Engine engine) throws ProblemException {
        File half = new File(picture.getPath() + ".half");
        try (InputStream in = engine.context().getContentResolver().openInputStream(document)) {
            if (in == null) {
                throw new ProblemException(Problem.BAD_PICTURE, "");
            }
            Streams.write(in, half, MAX_BYTES);
        } catch (IOException | SecurityException error) {
            Streams.delete(half);
            throw new ProblemException(Problem.BAD_PICTURE, String.valueOf(error.getMessage()), error);
        }
        if (!half.renameTo(picture)) {
            throw new ProblemException(Problem.NO_STORAGE, picture.getName());
        }
    }
}
