package dev.ppedge.demo.engine;

import android.util.Log;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.JsonWriter;
import dev.ppedge.demo.logic.LogChunks;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Reports;
import dev.ppedge.demo.logic.Settings;
import dev.ppedge.demo.logic.Streams;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** A run that leaves a report, whether it succeeds or not: the toolkit on the PC waits for it. */
abstract class RunTask implements Engine.Task<Outcome> {
    private static final String TAG = "ppedge";

    final HeadlessRequest request;
    private final String kind;
    private final Settings settings;
    final boolean headless;

    /**
     * @param kind of the report
     * @param request what to do
     * @param settings thresholds; threads, cores and recogniser are the request's
     * @param headless whether nobody is there to see the report of an abort and go on
     */
    RunTask(String kind, HeadlessRequest request, Settings settings, boolean headless) {
        this.kind = kind;
        this.request = request;
        this.settings = settings.with(request.threads, request.powerMode, request.recognizer);
        this.headless = headless;
    }

    @Override
    public final Outcome run(Engine engine, Job.Ticket<Outcome> ticket) throws Exception {
        Map<String, Object> report = Reports.begin(kind, request, PhoneInfo.of(engine.context()));
        File file = file(engine, kind, request.id);
        file.delete(); // an earlier run's is never taken for this one's, whatever becomes of this one
        try {
            if (headless) {
                report.put("previous_abort", engine.pendingAbort());
                engine.acknowledgeAbort();
            }
            Models models = engine.models(settings);
            Reports.addBundle(report, models.manifest, models.recognizer(), models.runtime);
            Outcome outcome = work(engine, models, report, ticket);
            outcome.reported(file, save(request.id, file, report));
            return outcome;
        } catch (Exception | OutOfMemoryError | LinkageError error) {
            ProblemException problem = engine.problem(error);
            Reports.fail(report, problem);
            save(request.id, file, report);
            throw problem;
        }
    }

    /** Does the work and completes the report. */
    abstract Outcome work(
            Engine engine, Models models, Map<String, Object> report, Job.Ticket<Outcome> ticket) throws Exception;

    /** Saves the report of a request that cannot be done. */
    static void refuse(Engine engine, String kind, String id, ProblemException problem) {
        HeadlessRequest nothing = new HeadlessRequest(id, 0, 1, 1, Settings.standard(1).powerMode, "", "");
        Map<String, Object> report = Reports.begin(kind, nothing, PhoneInfo.of(engine.context()));
        Reports.fail(report, problem);
        save(id, file(engine, kind, id), report);
    }

    private static File file(Engine engine, String kind, String id) {
        File folder = engine.context().getExternalFilesDir(null);
        // Null when the shared storage is not there; then the log alone carries the report.
        return new File(folder == null ? engine.context().getFilesDir() : folder, kind + "-" + id + ".json");
    }

    /** Logs the report and saves it; returns why it could not be saved, null if it was. */
    private static String save(String id, File file, Map<String, Object> report) {
        String json = JsonWriter.write(report);
        for (String line : LogChunks.of(id, json)) {
            Log.i(TAG, line);
        }
        try {
            Streams.writeWhole(file, (json + "\n").getBytes(StandardCharsets.US_ASCII));
            return null;
        } catch (IOException error) {
            Log.w(TAG, "the report is in this log only: " + error.getMessage());
            return String.valueOf(error.getMessage());
        }
    }
}
