package dev.ppedge.demo;

import dev.ppedge.core.Manifest;
import dev.ppedge.core.ModelEntry;
import dev.ppedge.core.RecognizerEntry;
import dev.ppedge.demo.engine.AboutTask;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.engine.BundleFacts;
import dev.ppedge.demo.engine.PhoneInfo;
import dev.ppedge.demo.logic.Origin;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Which models are in the app, what they were made with, and what runs them. */
public final class BundleActivity extends Page<BundleFacts> {
    @Override
    protected void onStart() {
        if (job().state() == Job.State.IDLE) {
            begin();
        }
        super.onStart();
    }

    @Override
    Job<BundleFacts> job() {
        return engine().about;
    }

    @Override
    void begin() {
        job().start(engine(), new AboutTask(SettingsStore.load(this)));
    }

    @Override
    int runLabel() {
        return R.string.check_again;
    }

    @Override
    void share(BundleFacts facts) {
        StringBuilder text = new StringBuilder();
        text.append(facts.manifest.name).append('\n');
        List<ModelEntry> models = new ArrayList<ModelEntry>();
        models.add(facts.manifest.det);
        models.addAll(facts.manifest.recognizers);
        if (facts.manifest.cls != null) {
            models.add(facts.manifest.cls);
        }
        for (ModelEntry model : models) {
            text.append(describe(model)).append('\n').append(Origin.of(model, true)).append('\n');
        }
        text.append(getString(R.string.runtime)).append(": ").append(facts.runtime).append('\n');
        shareText(text.toString());
    }

    @Override
    void showBefore() {
        note(getString(R.string.checking_bundle));
    }

    @Override
    void showResult(BundleFacts facts) {
        Manifest manifest = facts.manifest;
        section(getString(R.string.bundle_checked));
        fact(R.string.name, manifest.name);
        fact(R.string.made_by, manifest.ppedge);
        section(getString(R.string.models));
        fact(R.string.detector, describe(manifest.det));
        for (RecognizerEntry recognizer : manifest.recognizers) {
            fact(R.string.recogniser, named(recognizer, describe(recognizer)));
            fact(R.string.characters, String.valueOf(recognizer.classes - 1)); // without the blank
        }
        fact(R.string.classifier, manifest.cls == null ? getString(R.string.none) : describe(manifest.cls));
        fact(R.string.golden_pictures, String.valueOf(manifest.golden.size()));
        section(getString(R.string.origin));
        origin(R.string.detector, manifest.det, Origin.of(manifest.det, false));
        for (RecognizerEntry recognizer : manifest.recognizers) {
            origin(R.string.recogniser, recognizer, named(recognizer, Origin.of(recognizer, false)));
        }
        if (manifest.cls != null) {
            origin(R.string.classifier, manifest.cls, Origin.of(manifest.cls, false));
        }
        section(getString(R.string.phone));
        fact(R.string.runtime, facts.runtime.isEmpty() ? getString(R.string.unknown) : facts.runtime);
        Map<String, Object> phone = PhoneInfo.of(this);
        fact(R.string.phone_model, String.valueOf(phone.get("model")));
        fact(R.string.processor, phone.get("soc") + ", " + phone.get("abi"));
        fact(R.string.android, String.valueOf(phone.get("android")));
        fact(R.string.app_version, String.valueOf(phone.get("app")));
        section(getString(R.string.licence));
        note(manifest.licence);
    }

    private void origin(int name, ModelEntry model, String told) {
        if (!model.chain.isEmpty()) {
            fact(name, told);
        }
    }

    private static String named(RecognizerEntry recognizer, String told) {
        return recognizer.name.isEmpty() ? told : recognizer.name + "\n" + told;
    }

    private String describe(ModelEntry model) {
        return getString(R.string.model_line, model.path, model.precision, model.bytes / 1e6, model.optVersion)
                + "\nsha256 " + model.sha256;
    }
}
