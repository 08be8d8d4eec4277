package dev.ppedge.demo;

import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.net.Uri;
import android.os.Bundle;
import android.provider.MediaStore;
import android.view.Menu;
import android.view.MenuItem;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ListView;
import android.widget.TextView;
import dev.ppedge.core.Line;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.engine.PictureReading;
import dev.ppedge.demo.engine.ReadTask;
import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Choose or take a picture; see its text. */
public final class MainActivity extends Screen
        implements Job.Listener, View.OnClickListener, PictureView.OnSelect, AdapterView.OnItemClickListener,
                AdapterView.OnItemLongClickListener {
    private static final int CHOOSE = 1;
    private static final int TAKE = 2;
    private static final String HAS_PICTURE = "has_picture";
    private static final String SELECTED = "selected";
    private static final String DOCUMENT = "document";

    private PictureView picture;
    private ListView list;
    private LineAdapter adapter;
    private int selected = -1;
    private Uri document; // the last one chosen; null for none
    private PictureReading shown;
    private double shownMinScore;
    private List<Line> lines = Collections.emptyList();

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        show(R.layout.main, false);
        picture = (PictureView) findViewById(R.id.picture);
        picture.setOnSelect(this);
        list = (ListView) findViewById(R.id.lines);
        adapter = new LineAdapter(getLayoutInflater());
        list.setAdapter(adapter);
        list.setOnItemClickListener(this);
        list.setOnItemLongClickListener(this);
        for (int id : new int[] {R.id.choose, R.id.take, R.id.copy, R.id.share, R.id.notice_action, R.id.notice_copy}) {
            findViewById(id).setOnClickListener(this);
        }
        if (!getPackageManager().hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY)) {
            findViewById(R.id.take).setVisibility(View.GONE);
        }
        if (saved == null) {
            FileProvider.forgetPhoto(this); // left over if the app was ended while the camera was open
            if (engine().reading.state() == Job.State.IDLE) {
                ReadTask.forgetHalves(pictureFile());
            }
        } else {
            selected = saved.getInt(SELECTED, -1);
            document = saved.getParcelable(DOCUMENT);
        }
        boolean lost = engine().reading.state() == Job.State.IDLE;
        if (saved != null && saved.getBoolean(HAS_PICTURE) && lost && pictureFile().isFile()) {
            readAgain(); // the system ended the process in between
        }
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        out.putBoolean(HAS_PICTURE, engine().reading.state() != Job.State.IDLE);
        out.putInt(SELECTED, selected);
        out.putParcelable(DOCUMENT, document);
    }

    @Override
    protected void onStart() {
        super.onStart();
        engine().reading.listen(this);
    }

    @Override
    protected void onStop() {
        super.onStop();
        engine().reading.listen(null);
    }

    @Override
    public boolean onCreateOptionsMenu(Menu menu) {
        getMenuInflater().inflate(R.menu.main, menu);
        return true;
    }

    @Override
    public boolean onOptionsItemSelected(MenuItem item) {
        int id = item.getItemId();
        Class<?> screen = id == R.id.settings ? SettingsActivity.class
                : id == R.id.self_test ? SelfTestActivity.class
                : id == R.id.benchmark ? BenchmarkActivity.class
                : id == R.id.bundle ? BundleActivity.class : null;
        if (screen == null) {
            return super.onOptionsItemSelected(item);
        }
        startActivity(new Intent(this, screen));
        return true;
    }

    @Override
    public void onClick(View view) {
        int id = view.getId();
        if (id == R.id.choose) {
            Intent open = new Intent(Intent.ACTION_OPEN_DOCUMENT);
            open.addCategory(Intent.CATEGORY_OPENABLE).setType("image/*");
            start(open, CHOOSE, R.string.no_picker);
        } else if (id == R.id.take) {
            take();
        } else if (id == R.id.copy) {
            copy(allText());
        } else if (id == R.id.share) {
            shareText(allText());
        } else if (id == R.id.notice_action) {
            remedy();
        } else if (id == R.id.notice_copy) {
            copy(ProblemText.report(this, engine().reading.problem()));
        }
    }

    private void take() {
        Uri target = FileProvider.cameraUri();
        FileProvider.forgetPhoto(this); // an old picture is never taken for a new one
        Intent capture = new Intent(MediaStore.ACTION_IMAGE_CAPTURE).putExtra(MediaStore.EXTRA_OUTPUT, target);
        capture.setClipData(ClipData.newRawUri("", target));
        capture.addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION | Intent.FLAG_GRANT_READ_URI_PERMISSION);
        start(capture, TAKE, R.string.no_camera);
    }

    private void start(Intent intent, int request, int otherwise) {
        try {
            startActivityForResult(intent, request);
        } catch (ActivityNotFoundException | SecurityException error) {
            say(otherwise);
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        super.onActivityResult(request, result, data);
        if (request == TAKE) {
            FileProvider.endGrants(this);
        }
        if (result != RESULT_OK) {
            FileProvider.forgetPhoto(this);
        } else if (request == TAKE) {
            read(FileProvider.cameraUri());
        } else if (request == CHOOSE && data != null && data.getData() != null) {
            read(data.getData());
        }
    }

    private File pictureFile() {
        return new File(getCacheDir(), "picture");
    }

    private void read(Uri newDocument) {
        document = newDocument;
        File photo = FileProvider.cameraUri().equals(newDocument) ? FileProvider.cameraFile(this) : null;
        start(new ReadTask(newDocument, photo, pictureFile(), SettingsStore.load(this)));
    }

    /** Reads the picture once more that the app has taken in, or takes it in if that has failed. */
    private void readAgain() {
        if (pictureFile().isFile() || document == null) {
            start(new ReadTask(null, pictureFile(), SettingsStore.load(this)));
        } else {
            read(document);
        }
    }

    private void start(ReadTask task) {
        selected = -1;
        engine().reading.start(engine(), task);
    }

    private void remedy() {
        switch (ProblemText.remedy(engine().reading.problem().problem)) {
            case RETRY_AFTER_ABORT:
                engine().acknowledgeAbort();
                break;
            case ALLOW_OLD_RUNTIME:
                engine().allowOldRuntime();
                break;
            default:
                break;
        }
        readAgain();
    }

    @Override
    public void changed() {
        Job<PictureReading> job = engine().reading;
        boolean running = job.state() == Job.State.RUNNING;
        boolean failed = job.state() == Job.State.FAILED;
        PictureReading result = job.result();
        if (job.state() == Job.State.DONE && !result.settings.readsLike(SettingsStore.load(this))) {
            readAgain(); // the thresholds were changed meanwhile
            return;
        }
        boolean content = result != null && !failed;
        findViewById(R.id.progress).setVisibility(running ? View.VISIBLE : View.GONE);
        findViewById(R.id.content).setVisibility(content ? View.VISIBLE : View.GONE);
        findViewById(R.id.notice).setVisibility(content ? View.GONE : View.VISIBLE);
        if (content) {
            showReading(result);
        } else {
            shown = null;
            lines = Collections.emptyList();
            picture.setPicture(null, lines); // so that the next picture has its memory
            Notice.show(this, job.problem(), running);
        }
    }

    private void showReading(PictureReading result) {
        double minScore = SettingsStore.load(this).minScore;
        if (result != shown || minScore != shownMinScore) {
            shown = result;
            shownMinScore = minScore;
            lines = confident(result, minScore);
            picture.setPicture(result.bitmap, lines);
            adapter.setLines(lines);
            list.clearChoices();
            if (selected >= 0 && selected < lines.size()) {
                mark(selected);
            } else if (result.reading != null) {
                selected = -1;
            }
        }
        boolean finished = result.reading != null;
        ((TextView) findViewById(R.id.summary)).setText(finished ? summary(result) : getString(R.string.reading));
        picture.setContentDescription(finished
                ? getResources().getQuantityString(R.plurals.picture_with_lines, lines.size(), lines.size())
                : getString(R.string.picture));
        findViewById(R.id.copy).setVisibility(lines.isEmpty() ? View.GONE : View.VISIBLE);
        findViewById(R.id.share).setVisibility(lines.isEmpty() ? View.GONE : View.VISIBLE);
    }

    private String summary(PictureReading result) {
        String found = lines.isEmpty()
                ? getString(R.string.no_text_found)
                : getResources().getQuantityString(R.plurals.lines_in_ms, lines.size(), lines.size(),
                        Math.round(result.reading.milliseconds()));
        String chosen = result.settings.recognizer;
        if (!chosen.isEmpty() && !chosen.equals(result.recognizer)) {
            String reads = result.recognizer.isEmpty() ? getString(R.string.only_recogniser) : result.recognizer;
            return found + "\n" + getString(R.string.recogniser_missing, chosen, reads);
        }
        return result.recognizer.isEmpty() ? found : getString(R.string.of_recogniser, found, result.recognizer);
    }

    private static List<Line> confident(PictureReading result, double minScore) {
        if (result.reading == null) {
            return Collections.emptyList();
        }
        List<Line> kept = new ArrayList<Line>();
        for (Line line : result.reading.lines) {
            if (line.score >= minScore) {
                kept.add(line);
            }
        }
        return kept;
    }

    @Override
    public void selected(int index) {
        selected = index;
        if (index < 0) {
            list.clearChoices();
            adapter.notifyDataSetChanged();
        } else {
            list.setItemChecked(index, true);
            list.smoothScrollToPosition(index);
        }
    }

    @Override
    public void onItemClick(AdapterView<?> parent, View row, int position, long id) {
        selected = position;
        picture.select(position, true);
    }

    @Override
    public boolean onItemLongClick(AdapterView<?> parent, View row, int position, long id) {
        copy(lines.get(position).text);
        return true;
    }

    private void mark(int index) {
        picture.select(index, false);
        list.setItemChecked(index, true);
    }

    private String allText() {
        StringBuilder text = new StringBuilder();
        for (Line line : lines) {
            text.append(line.text).append('\n');
        }
        return text.toString();
    }
}
