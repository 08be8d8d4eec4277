package dev.ppedge.demo;

import android.content.Context;
import android.content.SharedPreferences;
import dev.ppedge.demo.logic.PowerMode;
import dev.ppedge.demo.logic.Settings;

/** The settings on the phone's storage. */
final class SettingsStore {
    private static final String THREADS = "threads";
    private static final String POWER_MODE = "power_mode";
    private static final String THRESH = "thresh";
    private static final String BOX_THRESH = "box_thresh";
    private static final String UNCLIP_RATIO = "unclip_ratio";
    private static final String MIN_SCORE = "min_score";
    private static final String RECOGNIZER = "recognizer";

    private SettingsStore() {}

    static Settings load(Context context) {
        SharedPreferences stored = preferences(context);
        Settings standard = Settings.standard(Runtime.getRuntime().availableProcessors());
        return new Settings(
                stored.getInt(THREADS, standard.threads),
                PowerMode.of(stored.getString(POWER_MODE, standard.powerMode.word)),
                stored.getFloat(THRESH, Float.NaN),
                stored.getFloat(BOX_THRESH, Float.NaN),
                stored.getFloat(UNCLIP_RATIO, Float.NaN),
                stored.getFloat(MIN_SCORE, 0),
                stored.getString(RECOGNIZER, ""));
    }

    static void save(Context context, Settings settings) {
        preferences(context)
                .edit()
                .putInt(THREADS, settings.threads)
                .putString(POWER_MODE, settings.powerMode.word)
                .putFloat(THRESH, (float) settings.thresh)
                .putFloat(BOX_THRESH, (float) settings.boxThresh)
                .putFloat(UNCLIP_RATIO, (float) settings.unclipRatio)
                .putFloat(MIN_SCORE, (float) settings.minScore)
                .putString(RECOGNIZER, settings.recognizer)
                .apply();
    }

    static void reset(Context context) {
        preferences(context).edit().clear().apply();
    }

    private static SharedPreferences preferences(Context context) {
        return context.getSharedPreferences("settings", Context.MODE_PRIVATE);
    }
}
