package dev.ppedge.demo;

import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.SeekBar;
import android.widget.Spinner;
import android.widget.TextView;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.engine.RecognizersTask;
import dev.ppedge.demo.logic.PowerMode;
import dev.ppedge.demo.logic.Settings;
import java.text.NumberFormat;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Recogniser, threads, cores, thresholds. Every change is kept at once. */
public final class SettingsActivity extends Screen
        implements SeekBar.OnSeekBarChangeListener, AdapterView.OnItemSelectedListener, View.OnClickListener,
                Job.Listener {
    /** A slider's first place stands for the bundle's own value. */
    private static final int FIRST_UNCLIP = 10; // in twentieths: 0.5

    private SeekBar threads;
    private SeekBar thresh;
    private SeekBar boxThresh;
    private SeekBar unclipRatio;
    private SeekBar minScore;
    private Spinner powerMode;
    private Spinner recognizer;
    private List<String> recognizers = Collections.emptyList(); // of the bundle; none as long as they are looked up
    private String chosenRecognizer = "";

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        show(R.layout.settings, true);
        int cores = Math.min(Runtime.getRuntime().availableProcessors(), Settings.MAX_THREADS);
        threads = slider(R.id.threads, cores - 1);
        thresh = slider(R.id.thresh, Settings.STEPS_OF_ONE - 1);
        boxThresh = slider(R.id.box_thresh, Settings.STEPS_OF_ONE - 1);
        unclipRatio = slider(R.id.unclip_ratio, (int) (Settings.MAX_UNCLIP * Settings.STEPS_OF_ONE) - FIRST_UNCLIP + 1);
        minScore = slider(R.id.min_score, Settings.STEPS_OF_ONE);
        powerMode = (Spinner) findViewById(R.id.power_mode);
        recognizer = (Spinner) findViewById(R.id.recogniser);
        findViewById(R.id.reset).setOnClickListener(this);
        showStored();
        if (engine().recognizers.state() != Job.State.RUNNING) {
            engine().recognizers.start(engine(), new RecognizersTask());
        }
    }

    @Override
    protected void onStart() {
        super.onStart();
        engine().recognizers.listen(this);
    }

    @Override
    protected void onStop() {
        super.onStop();
        engine().recognizers.listen(null);
    }

    /** The names of the recognisers are there: a choice is shown if there is one. Without a bundle there is none. */
    @Override
    public void changed() {
        Job<List<String>> job = engine().recognizers;
        if (job.state() != Job.State.DONE || job.result().equals(recognizers)) {
            return;
        }
        recognizers = job.result();
        ArrayAdapter<String> choices = new ArrayAdapter<String>(this, android.R.layout.simple_spinner_item, recognizers);
        choices.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        recognizer.setAdapter(choices);
        recognizer.setOnItemSelectedListener(this);
        findViewById(R.id.recognisers).setVisibility(recognizers.size() > 1 ? View.VISIBLE : View.GONE);
        showRecognizer();
    }

    /** Shows the one that was chosen; if the bundle lacks it, its first, which reads then, and says so. */
    private void showRecognizer() {
        if (recognizers.isEmpty()) {
            return;
        }
        boolean missing = !chosenRecognizer.isEmpty() && !recognizers.contains(chosenRecognizer);
        recognizer.setSelection(shownRecognizer());
        findViewById(R.id.recogniser_missing).setVisibility(missing ? View.VISIBLE : View.GONE);
        say(R.id.recogniser_missing, getString(R.string.recogniser_missing, chosenRecognizer, recognizers.get(0)));
    }

    private int shownRecognizer() {
        return Math.max(0, recognizers.indexOf(chosenRecognizer));
    }

    /** Listens only now: what the system restores after a turn is what was stored anyway. */
    @Override
    protected void onPostCreate(Bundle saved) {
        super.onPostCreate(saved);
        for (SeekBar slider : new SeekBar[] {threads, thresh, boxThresh, unclipRatio, minScore}) {
            slider.setOnSeekBarChangeListener(this);
        }
        powerMode.setOnItemSelectedListener(this);
        showValues();
    }

    private SeekBar slider(int id, int max) {
        SeekBar slider = (SeekBar) findViewById(id);
        slider.setMax(max);
        return slider;
    }

    private void showStored() {
        Settings settings = SettingsStore.load(this);
        threads.setProgress(settings.threads - 1);
        powerMode.setSelection(settings.powerMode.ordinal());
        thresh.setProgress(place(settings.thresh, 0));
        boxThresh.setProgress(place(settings.boxThresh, 0));
        unclipRatio.setProgress(place(settings.unclipRatio, FIRST_UNCLIP - 1));
        minScore.setProgress((int) Math.round(settings.minScore * Settings.STEPS_OF_ONE));
        chosenRecognizer = settings.recognizer;
        showRecognizer();
        showValues();
    }

    private static int place(double value, int before) {
        return Double.isNaN(value) ? 0 : (int) Math.round(value * Settings.STEPS_OF_ONE) - before;
    }

    private static double value(SeekBar slider, int before) {
        int place = slider.getProgress();
        return place == 0 ? Settings.AS_BUNDLE : (double) (place + before) / Settings.STEPS_OF_ONE;
    }

    private Settings chosen() {
        return new Settings(
                threads.getProgress() + 1,
                PowerMode.values()[powerMode.getSelectedItemPosition()],
                value(thresh, 0),
                value(boxThresh, 0),
                value(unclipRatio, FIRST_UNCLIP - 1),
                (double) minScore.getProgress() / Settings.STEPS_OF_ONE,
                chosenRecognizer);
    }

    private void keep() {
        SettingsStore.save(this, chosen());
        showValues();
    }

    private void showValues() {
        Settings settings = chosen();
        say(R.id.threads_value, String.valueOf(settings.threads));
        say(R.id.thresh_value, told(settings.thresh));
        say(R.id.box_thresh_value, told(settings.boxThresh));
        say(R.id.unclip_ratio_value, told(settings.unclipRatio));
        say(R.id.min_score_value, settings.minScore == 0 ? getString(R.string.show_all)
                : NumberFormat.getPercentInstance().format(settings.minScore));
    }

    private String told(double value) {
        return Double.isNaN(value) ? getString(R.string.as_bundle) : String.format(Locale.getDefault(), "%.2f", value);
    }

    private void say(int view, String text) {
        ((TextView) findViewById(view)).setText(text);
    }

    @Override
    public void onProgressChanged(SeekBar slider, int progress, boolean byUser) {
        if (byUser) {
            keep();
        }
    }

    @Override
    public void onStartTrackingTouch(SeekBar slider) {}

    @Override
    public void onStopTrackingTouch(SeekBar slider) {}

    @Override
    public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
        // What is chosen already is a list's first showing.
        if (parent == recognizer && position != shownRecognizer()) {
            chosenRecognizer = recognizers.get(position);
            showRecognizer();
            keep();
        } else if (parent == powerMode && PowerMode.values()[position] != SettingsStore.load(this).powerMode) {
            keep();
        }
    }

    @Override
    public void onNothingSelected(AdapterView<?> parent) {}

    @Override
    public void onClick(View view) {
        SettingsStore.reset(this);
        showStored();
    }
}
