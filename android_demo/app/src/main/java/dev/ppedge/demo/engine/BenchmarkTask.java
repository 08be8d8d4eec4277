package dev.ppedge.demo.engine;

import dev.ppedge.core.GoldenEntry;
import dev.ppedge.core.Image;
import dev.ppedge.core.Reading;
import dev.ppedge.core.Statistics;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Reports;
import dev.ppedge.demo.logic.Settings;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Reads one golden picture again and again, and takes the times of the stages. */
public final class BenchmarkTask extends RunTask {
    /** See {@link RunTask#RunTask}. */
    public BenchmarkTask(HeadlessRequest request, Settings settings, boolean headless) {
        super(Reports.BENCHMARK, request, settings, headless);
    }

    /** See {@link RunTask#refuse(Engine, String, String, ProblemException)}. */
    public static void refuse(Engine engine, String id, ProblemException problem) {
        refuse(engine, Reports.BENCHMARK, id, problem);
    }

    @Override
    Outcome work(
            Engine engine, Models models, Map<String, Object> report, Job.Ticket<Outcome> ticket) throws Exception {
        // A user's settings may outlive a recogniser; whoever asks for one by its name gets no other's times.
        if (headless && !request.recognizer.isEmpty() && !request.recognizer.equals(models.recognizer().name)) {
            throw new ProblemException(
                    Problem.BAD_REQUEST,
                    "recognizer = " + request.recognizer + ", possible: "
                            + (models.manifest.names().isEmpty() ? "none" : models.manifest.names()));
        }
        GoldenEntry golden = golden(models);
        Image picture = models.golden(golden).picture;
        report.put("golden", golden.name);
        report.put("height", picture.height);
        report.put("width", picture.width);
        report.put("thermal_before", PhoneInfo.thermal(engine.context()));
        int all = request.warmup + request.runs;
        List<Reading> readings = new ArrayList<Reading>(request.runs);
        for (int i = 0; i < all; i++) {
            ticket.requireGoing();
            Reading reading = models.pipeline().read(picture);
            if (i >= request.warmup) {
                readings.add(reading);
            }
            ticket.progress(100 * (i + 1) / all);
        }
        report.put("thermal_after", PhoneInfo.thermal(engine.context()));
        Map<String, Statistics> times = Reports.addTimes(report, readings);
        return new Outcome(models.settings(), models.recognizer().name, times, null);
    }

    private GoldenEntry golden(Models models) throws ProblemException {
        List<GoldenEntry> all = models.manifest.golden;
        for (GoldenEntry entry : all) {
            if (request.golden.isEmpty() || entry.name.equals(request.golden)) {
                return entry;
            }
        }
        if (all.isEmpty()) {
            throw new ProblemException(Problem.NO_GOLDEN, models.manifest.name);
        }
        throw new ProblemException(Problem.BAD_REQUEST, "golden = " + request.golden);
    }
}
