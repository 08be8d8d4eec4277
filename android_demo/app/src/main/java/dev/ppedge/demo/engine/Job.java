package dev.ppedge.demo.engine;

import android.os.Handler;
import android.os.Looper;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;

/**
 * Work on the engine's thread and what became of it. It outlives the activity that shows it, so a turn of the phone loses
 * nothing. All methods are for the main thread, but for those of {@link Ticket}.
 *
 * @param <T> the result; also, unfinished, what can be shown meanwhile
 */
public final class Job<T> {
    /** Where the work stands. */
    public enum State {
        /** Nothing was asked. */
        IDLE,
        /** It is under way; there may be an unfinished result. */
        RUNNING,
        /** There is a result. */
        DONE,
        /** There is a problem. */
        FAILED
    }

    /** Told of every change, on the main thread. */
    public interface Listener {
        /** The job's state, result or progress is another one. */
        void changed();
    }

    /**
     * What the work needs of its job, on the engine's thread. A job that was started again ignores earlier tickets.
     *
     * @param <T> the result
     */
    public static final class Ticket<T> {
        private final Job<T> job;
        private volatile Problem stopped; // why; null while somebody waits for the result

        private Ticket(Job<T> job) {
            this.job = job;
        }

        /**
         * Ends work for whose result nobody waits any more; for its safe points.
         *
         * @throws ProblemException why it was stopped
         */
        public void requireGoing() throws ProblemException {
            if (stopped != null) {
                throw new ProblemException(stopped, "");
            }
        }

        /** Shows an unfinished result. */
        public void publish(T unfinished) {
            job.post(this, State.RUNNING, unfinished, null, -1);
        }

        /** Says how far the work is, 0 to 100. */
        public void progress(int percent) {
            job.post(this, State.RUNNING, null, null, percent);
        }

        void done(T result) {
            job.post(this, State.DONE, result, null, 100);
        }

        void failed(ProblemException problem) {
            job.post(this, State.FAILED, null, problem, 100);
        }
    }

    private final Handler main = new Handler(Looper.getMainLooper());
    private Ticket<T> current;
    private Listener listener;
    private State state = State.IDLE;
    private T result;
    private ProblemException problem;
    private int percent;

    /** Starts work; what was under way is stopped and forgotten. */
    public void start(Engine engine, Engine.Task<T> task) {
        reset();
        current = new Ticket<T>(this);
        state = State.RUNNING;
        engine.submit(task, current);
        tell();
    }

    /** Stops the work, which ends at its next safe point, and forgets its result. */
    public void reset() {
        stop(Problem.STOPPED);
        current = null;
        state = State.IDLE;
        result = null;
        problem = null;
        percent = 0;
    }

    /** Shows a problem in the place of whatever there was: the work cannot even begin. */
    public void refuse(ProblemException newProblem) {
        reset();
        state = State.FAILED;
        problem = newProblem;
        tell();
    }

    /** Stops the work, which then ends with this problem; the first to stop it says why. */
    public void stop(Problem why) {
        if (current != null && current.stopped == null) {
            current.stopped = why;
        }
    }

    /** Makes somebody the one who is told; null for nobody. */
    public void listen(Listener newListener) {
        listener = newListener;
        tell();
    }

    /** Where the work stands. */
    public State state() {
        return state;
    }

    /** The result, or an unfinished one; may be null unless the state is DONE. */
    public T result() {
        return result;
    }

    /** The problem; null unless the state is FAILED. */
    public ProblemException problem() {
        return problem;
    }

    /** How far the work is, 0 to 100. */
    public int percent() {
        return percent;
    }

    private void post(
            final Ticket<T> ticket, final State newState, final T newResult, final ProblemException newProblem,
            final int newPercent) {
        main.post(new Runnable() {
            @Override
            public void run() {
                if (ticket != current) {
                    return;
                }
                state = newState;
                result = newResult == null ? result : newResult;
                problem = newProblem;
                percent = newPercent < 0 ? percent : newPercent;
                tell();
            }
        });
    }

    private void tell() {
        if (listener != null) {
            listener.changed();
        }
    }
}
