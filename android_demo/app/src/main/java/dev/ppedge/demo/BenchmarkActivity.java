package dev.ppedge.demo;

import dev.ppedge.core.Stage;
import dev.ppedge.core.Statistics;
import dev.ppedge.demo.engine.BenchmarkTask;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.engine.Outcome;
import dev.ppedge.demo.engine.PhoneInfo;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Reports;
import dev.ppedge.demo.logic.Settings;
import java.util.Map;

/** How long each stage takes on this phone. */
public final class BenchmarkActivity extends RunPage {
    @Override
    Job<Outcome> job() {
        return engine().benchmark;
    }

    @Override
    int runLabel() {
        return R.string.run_benchmark;
    }

    @Override
    void run(HeadlessRequest request, Settings settings, boolean headless) {
        job().start(engine(), new BenchmarkTask(request, settings, headless));
    }

    /** In the background Android gives an app the small cores, or stops it for a while: such times are no phone's. */
    @Override
    protected void onStop() {
        super.onStop();
        if (!isChangingConfigurations()) {
            job().stop(Problem.LEFT);
        }
    }

    @Override
    void refuse(String id, ProblemException problem) {
        BenchmarkTask.refuse(engine(), id, problem);
    }

    @Override
    void showBefore() {
        note(getString(R.string.benchmark_about));
        showSettings(SettingsStore.load(this), "");
    }

    @Override
    void showResult(Outcome outcome) {
        section(getString(R.string.times));
        int plain = R.color.text_primary;
        figures(getString(R.string.milliseconds), getString(R.string.p50), getString(R.string.p90), plain);
        for (Stage stage : Stage.values()) {
            row(stageName(stage), outcome.times, Reports.word(stage));
        }
        row(getString(R.string.total), outcome.times, Reports.TOTAL);
        int heat = PhoneInfo.thermalLevel(this);
        section(getString(R.string.phone));
        fact(R.string.thermal, heat < 0 ? getString(R.string.unknown)
                : getResources().getStringArray(R.array.thermal_levels)[heat]);
        showSettings(outcome.settings, outcome.recognizer);
        showFile(outcome);
    }

    private void row(String name, Map<String, Statistics> times, String key) {
        Statistics figures = times.get(key);
        figures(name, milliseconds(figures.p50), milliseconds(figures.p90), R.color.text_primary);
    }
}
