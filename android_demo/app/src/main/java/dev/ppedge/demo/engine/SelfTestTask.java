package dev.ppedge.demo.engine;

import dev.ppedge.core.Check;
import dev.ppedge.core.GoldenCase;
import dev.ppedge.core.GoldenEntry;
import dev.ppedge.core.Odds;
import dev.ppedge.core.SelfTest;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Reports;
import dev.ppedge.demo.logic.Settings;
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
        Map<String, List<Check>> checks = new LinkedHashMap<String, List<Check>>();
        Odds odds = new Odds();
        for (GoldenEntry entry : all) {
            ticket.requireGoing();
            GoldenCase golden = models.golden(entry);
            checks.put(
                    entry.name,
                    SelfTest.run(golden, models.manifest, models.characters, models.det, models.rec, models.cls, odds));
            ticket.progress(100 * checks.size() / all.size());
        }
        checks.put(Reports.TOGETHER, odds.checks());
        Reports.addChecks(report, checks);
        return new Outcome(models.settings, null, checks);
    }
}
