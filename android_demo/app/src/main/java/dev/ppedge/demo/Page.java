package dev.ppedge.demo;

import android.os.Bundle;
import android.view.View;
import android.view.ViewGroup;
import android.view.WindowManager;
import android.widget.Button;
import android.widget.ProgressBar;
import android.widget.TextView;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;

/**
 * A screen of sections and rows that shows a job of the engine.
 *
 * @param <T> the job's result
 */
abstract class Page<T> extends Screen implements Job.Listener, View.OnClickListener {
    private ViewGroup rows;
    private Job.State shown;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        show(R.layout.page, true);
        rows = (ViewGroup) findViewById(R.id.rows);
        findViewById(R.id.run).setOnClickListener(this);
        findViewById(R.id.share).setOnClickListener(this);
    }

    @Override
    protected void onStart() {
        super.onStart();
        job().listen(this);
    }

    @Override
    protected void onStop() {
        super.onStop();
        job().listen(null);
    }

    /** The job that this screen shows. */
    abstract Job<T> job();

    /** Starts the job as the user wishes. */
    abstract void begin();

    /** Shares the result. */
    abstract void share(T result);

    /** Whether there is something to share. */
    boolean canShare(T result) {
        return true;
    }

    /** What the button says that starts the job. */
    abstract int runLabel();

    /** Fills the rows while there is neither a result nor a problem. */
    abstract void showBefore();

    /** Fills the rows with a result. */
    abstract void showResult(T result);

    @Override
    public final void onClick(View view) {
        boolean running = job().state() == Job.State.RUNNING;
        if (view.getId() == R.id.share && job().state() == Job.State.FAILED) {
            copy(ProblemText.report(this, job().problem()));
        } else if (view.getId() == R.id.share) {
            share(job().result());
        } else if (running) {
            job().stop(Problem.STOPPED);
        } else {
            if (job().state() == Job.State.FAILED) {
                overcome(job().problem());
            }
            begin();
        }
    }

    private void overcome(ProblemException problem) {
        ProblemText.Remedy remedy = ProblemText.remedy(problem.problem);
        if (remedy == ProblemText.Remedy.RETRY_AFTER_ABORT) {
            engine().acknowledgeAbort();
        } else if (remedy == ProblemText.Remedy.ALLOW_OLD_RUNTIME) {
            engine().allowOldRuntime();
        }
    }

    @Override
    public final void changed() {
        Job.State state = job().state();
        boolean running = state == Job.State.RUNNING;
        keepScreenOn(running);
        ProgressBar progress = (ProgressBar) findViewById(R.id.progress);
        progress.setVisibility(running ? View.VISIBLE : View.INVISIBLE);
        progress.setIndeterminate(job().percent() == 0);
        progress.setProgress(job().percent());
        Button run = (Button) findViewById(R.id.run);
        run.setText(running ? R.string.stop : runText(state));
        Button share = (Button) findViewById(R.id.share);
        share.setText(state == Job.State.FAILED ? R.string.copy_report : R.string.share_results);
        share.setEnabled(state == Job.State.FAILED || state == Job.State.DONE && canShare(job().result()));
        if (running && shown == state) {
            return; // only the progress is another one
        }
        shown = state;
        rows.removeAllViews();
        if (state == Job.State.DONE) {
            showResult(job().result());
        } else if (state == Job.State.FAILED) {
            section(getString(ProblemText.title(job().problem().problem)), R.color.failure);
            note(ProblemText.text(this, job().problem()));
        } else {
            showBefore();
        }
    }

    private int runText(Job.State state) {
        if (state != Job.State.FAILED) {
            return runLabel();
        }
        boolean old = ProblemText.remedy(job().problem().problem) == ProblemText.Remedy.ALLOW_OLD_RUNTIME;
        return old ? R.string.go_on_anyway : R.string.try_again;
    }

    private void keepScreenOn(boolean on) {
        if (on) {
            getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        } else {
            getWindow().clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        }
    }

    final void section(String title) {
        section(title, R.color.accent);
    }

    final void section(String title, int colour) {
        TextView view = (TextView) add(R.layout.row_section);
        view.setText(title);
        view.setTextColor(getColor(colour));
    }

    final void note(String text) {
        note(text, R.color.text_primary);
    }

    final void note(String text, int colour) {
        TextView view = (TextView) add(R.layout.row_note);
        view.setText(text);
        view.setTextColor(getColor(colour));
    }

    final void fact(int name, String value) {
        View row = add(R.layout.row_fact);
        ((TextView) row.findViewById(R.id.name)).setText(name);
        ((TextView) row.findViewById(R.id.value)).setText(value);
    }

    final void figures(String name, String first, String second, int colour) {
        View row = add(R.layout.row_figures);
        ((TextView) row.findViewById(R.id.name)).setText(name);
        ((TextView) row.findViewById(R.id.first)).setText(first);
        TextView last = (TextView) row.findViewById(R.id.second);
        last.setText(second);
        last.setTextColor(getColor(colour));
    }

    private View add(int layout) {
        View row = getLayoutInflater().inflate(layout, rows, false);
        rows.addView(row);
        return row;
    }
}
