package dev.ppedge.demo;

import dev.ppedge.core.Check;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.engine.Outcome;
import dev.ppedge.demo.engine.SelfTestTask;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Reports;
import dev.ppedge.demo.logic.Settings;
import java.util.List;
import java.util.Locale;

/** Whether this phone computes what the PC computed, and if not, which stage is the first that does not. */
public final class SelfTestActivity extends RunPage {
    @Override
    Job<Outcome> job() {
        return engine().selfTest;
    }

    @Override
    int runLabel() {
        return R.string.run_self_test;
    }

    @Override
    void run(HeadlessRequest request, Settings settings, boolean headless) {
        job().start(engine(), new SelfTestTask(request, settings, headless));
    }

    @Override
    void refuse(String id, ProblemException problem) {
        SelfTestTask.refuse(engine(), id, problem);
    }

    @Override
    void showBefore() {
        note(getString(R.string.self_test_about));
        showSettings(SettingsStore.load(this), "");
    }

    @Override
    void showResult(Outcome outcome) {
        List<Check> worst = Reports.worst(outcome.checks);
        Check first = null;
        for (Check check : worst) {
            first = first == null && !check.passed() ? check : first;
        }
        if (first == null) {
            section(getString(R.string.self_test_passed));
            int pictures = outcome.checks.size() - 1; // the last are those of all together
            note(getResources().getQuantityString(R.plurals.self_test_pictures, pictures, pictures));
        } else {
            section(getString(R.string.self_test_failed, stageName(first)), R.color.failure);
            note(getString(R.string.self_test_failed_text) + "\n\n" + first.detail);
        }
        section(getString(R.string.differences));
        figures(getString(R.string.stage), getString(R.string.largest), getString(R.string.allowed),
                R.color.text_primary);
        for (Check check : worst) {
            figures(stageName(check), number(check.difference) + " " + unit(check.unit),
                    getString(check.passed() ? R.string.passed : R.string.failed, number(check.tolerance)),
                    check.passed() ? R.color.text_primary : R.color.failure);
        }
        showSettings(outcome.settings, outcome.recognizer);
        showFile(outcome);
    }

    private String unit(String unit) {
        return unit.equals("pixel") ? getString(R.string.unit_pixel)
                : unit.equals("level") ? getString(R.string.unit_level)
                : unit.equals("line") ? getString(R.string.unit_line)
                : unit.equals("share") ? getString(R.string.unit_share) : "";
    }

    private static String number(double value) {
        return value == Math.rint(value) ? String.format(Locale.getDefault(), "%.0f", value)
                : String.format(Locale.getDefault(), "%.2g", value);
    }
}
