package dev.ppedge.demo;

import android.content.ClipData;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import dev.ppedge.core.Check;
import dev.ppedge.core.Stage;
import dev.ppedge.demo.engine.Outcome;
import dev.ppedge.demo.logic.Extras;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** A screen whose job leaves a report, and can be started by an intent. */
abstract class RunPage extends Page<Outcome> {
    private static final String SCREEN_ID = "screen";

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        // From the list of recent apps the same intent comes again, though nobody sent it.
        boolean again = (getIntent().getFlags() & Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY) != 0;
        if (saved == null && !again) {
            obey(getIntent());
        }
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        obey(intent);
    }

    private void obey(Intent intent) {
        Map<String, Object> extras = new HashMap<String, Object>();
        try {
            Extras.read(new Sent(intent), HeadlessRequest.NAMES, extras);
            HeadlessRequest request = HeadlessRequest.parse(extras);
            if (request != null) {
                run(request, SettingsStore.load(this), true);
            }
        } catch (ProblemException problem) {
            job().refuse(problem);
            refuse(HeadlessRequest.idOf(extras), problem);
        }
    }

    private static final class Sent implements Extras.Source {
        private final Intent intent;

        Sent(Intent intent) {
            this.intent = intent;
        }

        @Override
        public boolean has(String name) {
            return intent.hasExtra(name);
        }

        @Override
        public Object get(String name) {
            return intent.getExtras().get(name);
        }
    }

    @Override
    final void begin() {
        Settings settings = SettingsStore.load(this);
        HeadlessRequest request = new HeadlessRequest(
                SCREEN_ID, 3, 20, settings.threads, settings.powerMode, "", settings.recognizer);
        run(request, settings, false);
    }

    /** Starts the job. */
    abstract void run(HeadlessRequest request, Settings settings, boolean headless);

    /** Tells whoever sent an intent that it asks for something impossible. */
    abstract void refuse(String id, ProblemException problem);

    @Override
    final void share(Outcome outcome) {
        Uri report = FileProvider.resultUri(outcome.file());
        Intent send = new Intent(Intent.ACTION_SEND).setType("application/json").putExtra(Intent.EXTRA_STREAM, report);
        send.setClipData(ClipData.newRawUri("", report));
        send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        startActivity(Intent.createChooser(send, null));
    }

    final void showSettings(Settings settings, String recognizer) {
        section(getString(R.string.settings));
        if (!recognizer.isEmpty()) {
            fact(R.string.recogniser, recognizer);
        }
        fact(R.string.threads, String.valueOf(settings.threads));
        fact(R.string.power_mode, getResources().getStringArray(R.array.power_modes)[settings.powerMode.ordinal()]);
    }

    @Override
    final boolean canShare(Outcome outcome) {
        return outcome.file() != null;
    }

    final void showFile(Outcome outcome) {
        section(getString(R.string.report));
        if (outcome.file() == null) {
            note(getString(R.string.not_saved, outcome.whyNotSaved()), R.color.failure);
        } else {
            fact(R.string.saved_at, outcome.file().getPath());
        }
    }

    final String stageName(Stage stage) {
        return getResources().getStringArray(R.array.stages)[stage.ordinal()];
    }

    /** What a check is about, with the name of one of several recognisers. */
    final String stageName(Check check) {
        String stage = stageName(check.stage);
        return check.recognizer.isEmpty() ? stage : getString(R.string.of_recogniser, stage, check.recognizer);
    }

    static String milliseconds(double value) {
        return String.format(Locale.getDefault(), value < 10 ? "%.2f" : "%.1f", value);
    }
}
