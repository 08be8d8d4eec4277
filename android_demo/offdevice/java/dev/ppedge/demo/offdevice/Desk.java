package dev.ppedge.demo.offdevice;

import android.content.Context;
import android.net.Uri;
import android.os.Looper;
import dev.ppedge.core.Json;
import dev.ppedge.core.Line;
import dev.ppedge.demo.engine.AboutTask;
import dev.ppedge.demo.engine.BenchmarkTask;
import dev.ppedge.demo.engine.BundleFacts;
import dev.ppedge.demo.engine.Engine;
import dev.ppedge.demo.engine.Job;
import dev.ppedge.demo.engine.Outcome;
import dev.ppedge.demo.engine.PictureReading;
import dev.ppedge.demo.engine.ReadTask;
import dev.ppedge.demo.engine.RecognizersTask;
import dev.ppedge.demo.engine.SelfTestTask;
import dev.ppedge.demo.logic.HeadlessRequest;
import dev.ppedge.demo.logic.JsonWriter;
import dev.ppedge.demo.logic.PowerMode;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The app without its screens: what a finger would start is asked for over stdin, what a screen would show is answered.
 *
 * <p>The messages are those of {@code toolkit/ppedge/arm/protocol.py}: a question 'Q' is a JSON object, {@code do} and
 * what that needs; an answer 'I' is one, {@code state} (DONE or FAILED) with the result or the problem. Its main thread is
 * the app's.
 */
public final class Desk {
    private static final int HEADER = 9;

    private final Context context;
    private final Engine engine;
    private final DataInputStream questions = new DataInputStream(System.in);
    private final OutputStream answers;

    private Desk(File folder, File assets) throws IOException {
        context = new Context(new File(folder, "files"), new File(folder, "external"), assets);
        engine = Engine.of(context);
        // Opened anew: lite_jni.cc sends what native code prints to stderr.
        answers = new FileOutputStream("/proc/self/fd/1");
    }

    /**
     * Runs until stdin ends.
     *
     * @param args the folder that stands for the phone's storage, and that of the app's assets
     */
    public static void main(String[] args) throws Exception {
        new Desk(new File(args[0]), new File(args[1])).serve();
        System.exit(0); // the engine's thread would wait for work
    }

    private void serve() throws Exception {
        byte[] header = new byte[HEADER];
        while (true) {
            try {
                questions.readFully(header);
            } catch (EOFException end) {
                return;
            }
            byte[] payload = new byte[(int) ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getLong(1)];
            questions.readFully(payload);
            if (header[0] == 'Q') {
                Object question = Json.parse(new String(payload, StandardCharsets.UTF_8), "the question");
                send('I', JsonWriter.write(answer((Map<?, ?>) question)));
            } else {
                send('E', "no question");
            }
        }
    }

    private void send(char kind, String text) throws IOException {
        byte[] payload = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer message = ByteBuffer.allocate(HEADER + payload.length).order(ByteOrder.LITTLE_ENDIAN);
        answers.write(message.put((byte) kind).putLong(payload.length).put(payload).array());
    }

    private Map<String, Object> answer(Map<?, ?> question) throws Exception {
        String what = (String) question.get("do");
        Object recognizer = question.get("recognizer");
        Settings settings = Settings.standard(1).with(1, PowerMode.NO_BIND, recognizer == null ? "" : (String) recognizer);
        switch (what) {
            case "about":
                return about(done(engine.about, new AboutTask(settings)));
            case "read":
                File picture = new File(context.getFilesDir(), "picture");
                Uri document = Uri.fromFile(new File((String) question.get("picture")));
                return reading(done(engine.reading, new ReadTask(document, picture, settings)));
            case "recognizers":
                return recognizers(done(engine.recognizers, new RecognizersTask()));
            case "acknowledge":
                engine.acknowledgeAbort();
                return state(engine.about);
            default:
                return run(what, question, settings);
        }
    }

    /** A self-test or a benchmark: asked for by an intent's extras, or from the screen where there are none. */
    private Map<String, Object> run(String what, Map<?, ?> question, Settings settings) throws Exception {
        boolean benchmark = what.equals("benchmark");
        Map<String, Object> extras = new LinkedHashMap<String, Object>();
        for (Map.Entry<?, ?> extra : ((Map<?, ?>) question.get("extras")).entrySet()) {
            extras.put((String) extra.getKey(), extra.getValue());
        }
        boolean headless = !Boolean.FALSE.equals(extras.remove("headless"));
        Job<Outcome> job = benchmark ? engine.benchmark : engine.selfTest;
        try {
            HeadlessRequest request = HeadlessRequest.parse(extras);
            boolean left = Boolean.TRUE.equals(question.get("leave"));
            job.start(engine, benchmark
                    ? new BenchmarkTask(request, settings, headless) : new SelfTestTask(request, settings, headless));
            if (left) {
                job.stop(Problem.LEFT);
            }
            ended(job);
        } catch (ProblemException problem) {
            job.refuse(problem);
            String id = HeadlessRequest.idOf(extras);
            if (benchmark) {
                BenchmarkTask.refuse(engine, id, problem);
            } else {
                SelfTestTask.refuse(engine, id, problem);
            }
        }
        return state(job);
    }

    /** Starts a job and returns it when it has ended. */
    private <T> Job<T> done(Job<T> job, Engine.Task<T> task) throws InterruptedException {
        job.start(engine, task);
        return ended(job);
    }

    /** Lets the main thread do what it is told until a job has ended. */
    private static <T> Job<T> ended(Job<T> job) throws InterruptedException {
        while (job.state() == Job.State.RUNNING) {
            Looper.getMainLooper().next();
        }
        return job;
    }

    private static Map<String, Object> state(Job<?> job) {
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        told.put("state", job.state().name());
        ProblemException problem = job.problem();
        told.put("problem", problem == null ? null : problem.problem.name().toLowerCase(Locale.ROOT));
        told.put("detail", problem == null ? null : problem.getMessage());
        return told;
    }

    private static Map<String, Object> about(Job<BundleFacts> job) {
        Map<String, Object> told = state(job);
        if (job.state() == Job.State.DONE) {
            told.put("runtime", job.result().runtime);
            told.put("bundle", job.result().manifest.name);
            told.put("recognizer", job.result().recognizer.name);
            told.put("characters", job.result().recognizer.classes - 1);
        }
        return told;
    }

    private static Map<String, Object> recognizers(Job<List<String>> job) {
        Map<String, Object> told = state(job);
        told.put("recognizers", job.result());
        return told;
    }

    private static Map<String, Object> reading(Job<PictureReading> job) {
        Map<String, Object> told = state(job);
        if (job.state() == Job.State.DONE) {
            List<Object> lines = new ArrayList<Object>();
            for (Line line : job.result().reading.lines) {
                lines.add(line(line));
            }
            told.put("recognizer", job.result().recognizer);
            told.put("lines", lines);
        }
        return told;
    }

    private static Map<String, Object> line(Line line) {
        List<Object> quad = new ArrayList<Object>();
        for (float value : line.quad) {
            quad.add(value);
        }
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        told.put("text", line.text);
        told.put("score", line.score);
        told.put("quad", quad);
        told.put("box_score", line.boxScore);
        told.put("turned", line.turned);
        return told;
    }
}
