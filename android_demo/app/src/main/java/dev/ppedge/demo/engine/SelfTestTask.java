package dev.ppedge.demo.engine;

import dev.ppedge.core.BundleException;
import dev.ppedge.core.Check;
import dev.ppedge.core.GoldenCase;
import dev.ppedge.core.GoldenEntry;
import dev.ppedge.core.Odds;
import dev.ppedge.core.RecognizerEntry;
import dev.ppedge.core.SelfTest;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Reports;
import dev.ppedge.demo.logic.Settings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Computes the golden pictures on this phone and compares every stage with the PC. */
public final class SelfTestTask extends RunTask {
    /** See {@link RunTask#RunTask}. */
    public SelfTestTask(HeadlessRequest request, Settings settings, boolean headless) {
        super(Reports.SELF_TEST, request, settings, headless);
    }

    /** See {@link RunTask#refuse(Engine, String, String, ProblemException)}. */
    public static void refuse(Engine engine, String id, ProblemException problem) {
        refuse(engine, Reports.SELF_TEST, id, problem);
    }

    @Override
    Outcome work(
            Engine engine, Models models, Map<String, Object> report, Job.Ticket<Outcome> ticket) throws Exception {
        List<GoldenEntry> all = models.manifest.golden;
        if (all.isEmpty()) {
            throw new ProblemException(Problem.NO_GOLDEN, models.manifest.name);
        }
        Settings settings = models.settings();
        List<RecognizerEntry> recognizers = models.manifest.recognizers;
        Map<String, List<Check>> checks = new LinkedHashMap<String, List<Check>>();
        for (GoldenEntry entry : all) {
            checks.put(entry.name, new ArrayList<Check>());
        }
        Odds odds = new Odds();
        int done = 0;
        for (RecognizerEntry recognizer : recognizers) {
            Models loaded = engine.models(settings.with(recognizer.name));
            for (GoldenEntry entry : all) {
                ticket.requireGoing();
                checks.get(entry.name).addAll(check(loaded, loaded.golden(entry), done < all.size(), odds));
                ticket.progress(100 * ++done / (all.size() * recognizers.size()));
            }
        }
        checks.put(Reports.TOGETHER, odds.checks());
        Reports.addChecks(report, checks);
        return new Outcome(settings, "", null, checks);
    }

    /** Everything with the first recogniser; with the others what is theirs. */
    private static List<Check> check(Models loaded, GoldenCase golden, boolean first, Odds odds) throws BundleException {
        return first
                ? SelfTest.run(
                        golden, loaded.manifest, loaded.recognizer(), loaded.characters(), loaded.det, loaded.rec(), loaded.cls,
                        odds)
                : SelfTest.runRecognizer(
                        golden, loaded.manifest, loaded.recognizer(), loaded.characters(), loaded.rec(), odds);
    }
}
