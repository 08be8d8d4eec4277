package dev.ppedge.demo.engine;

import android.content.Context;
import dev.ppedge.core.BundleException;
import dev.ppedge.demo.logic.CrashMarker;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/** The one thread on which networks run, and the one set of them. One for the whole process. */
public final class Engine implements ThreadFactory {
    /**
     * Work for the engine's thread.
     *
     * @param <T> its result
     */
    public interface Task<T> {
        /**
         * Does it.
         *
         * @throws Exception anything: {@link Engine#problem} names it
         */
        T run(Engine engine, Job.Ticket<T> ticket) throws Exception;
    }

    /** A task that takes something from another app first: on a thread of its own, for that may last as long as it likes. */
    interface Fetching {
        /**
         * Takes it, before {@link Task#run}.
         *
         * @throws ProblemException why it cannot be had, or why nobody waits for it any more
         */
        void fetch(Context context, Job.Ticket<?> ticket) throws ProblemException;
    }

    private static Engine instance;

    /** The picture on the main screen. */
    public final Job<PictureReading> reading = new Job<PictureReading>();

    /** The self-test's screen. */
    public final Job<Outcome> selfTest = new Job<Outcome>();

    /** The benchmark's screen. */
    public final Job<Outcome> benchmark = new Job<Outcome>();

    /** The bundle's screen. */
    public final Job<BundleFacts> about = new Job<BundleFacts>();

    /** The choice of recognisers on the settings' screen. */
    public final Job<List<String>> recognizers = new Job<List<String>>();

    private final Context context;
    private final ExecutorService worker = Executors.newSingleThreadExecutor(this);
    private CrashMarker marker;
    private Models models;
    private volatile boolean abortSeen;
    private volatile boolean oldRuntimeAllowed;

    private Engine(Context context) {
        this.context = context;
    }

    /** Returns the process's engine. */
    public static synchronized Engine of(Context context) {
        if (instance == null) {
            instance = new Engine(context.getApplicationContext());
        }
        return instance;
    }

    @Override
    public Thread newThread(Runnable work) {
        return new Thread(work, "ppedge-engine");
    }

    /** The application's context. */
    public Context context() {
        return context;
    }

    <T> void submit(final Task<T> task, final Job.Ticket<T> ticket) {
        final Runnable work = new Runnable() {
            @Override
            public void run() {
                try {
                    ticket.requireGoing();
                    ticket.done(task.run(Engine.this, ticket));
                } catch (Exception | OutOfMemoryError | LinkageError error) {
                    ticket.failed(problem(error));
                }
            }
        };
        if (task instanceof Fetching) {
            new Thread(fetching((Fetching) task, ticket, work), "ppedge-fetch").start();
        } else {
            worker.execute(work);
        }
    }

    private Runnable fetching(final Fetching task, final Job.Ticket<?> ticket, final Runnable work) {
        return new Runnable() {
            @Override
            public void run() {
                try {
                    task.fetch(context, ticket);
                    worker.execute(work);
                } catch (ProblemException problem) {
                    ticket.failed(problem);
                }
            }
        };
    }

    /**
     * Returns the networks, loaded as the settings say; on the engine's thread only.
     *
     * @throws ProblemException what is missing, damaged or too old, or what native code was doing when it died
     */
    public Models models(Settings settings) throws ProblemException {
        String abort = pendingAbort();
        if (abort != null) {
            throw new ProblemException(Problem.NATIVE_ABORT, abort);
        }
        if (models != null && models.settings().loadsLike(settings)) {
            Models loaded = models;
            models = null; // if this goes wrong, the next try begins anew
            loaded.choose(settings, marker);
            models = loaded;
        } else {
            drop(); // so that never two sets are in memory
            models = Models.load(context, settings, marker, oldRuntimeAllowed);
        }
        return models;
    }

    private void drop() {
        if (models != null) {
            models = null;
            freeNetworks();
        }
    }

    /** Paddle Lite frees a network in its finalizer alone, and the collector does not see how large one is. */
    static void freeNetworks() {
        System.gc();
        System.runFinalization();
    }

    /**
     * Returns what native code was doing when the process died the last time; null if it ended well, or the report was
     * seen. On the engine's thread only.
     */
    String pendingAbort() throws ProblemException {
        try {
            if (marker == null) {
                marker = new CrashMarker(new File(context.getFilesDir(), "native-call"));
            }
            if (!abortSeen) {
                return marker.pending();
            }
            marker.end();
            return null;
        } catch (IOException error) {
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        }
    }

    /** Takes note that the report of an abort was seen: networks are loaded again. */
    public void acknowledgeAbort() {
        abortSeen = true;
    }

    /** Takes note that the user wants to run models with an older runtime; until the process ends. */
    public void allowOldRuntime() {
        oldRuntimeAllowed = true;
    }

    /** Names whatever was thrown on the engine's thread, and frees the networks where they may be to blame. */
    ProblemException problem(Throwable error) {
        for (Throwable e = error; e != null; e = e.getCause()) {
            if (e instanceof ProblemException) {
                return (ProblemException) e;
            }
            if (e instanceof OutOfMemoryError) {
                drop();
                return new ProblemException(Problem.NO_MEMORY, String.valueOf(e.getMessage()), error);
            }
        }
        if (error instanceof BundleException) {
            drop(); // so that the next try looks at the files again
            return new ProblemException((BundleException) error);
        }
        return new ProblemException(Problem.UNEXPECTED, error.toString(), error);
    }
}
