package com.baidu.paddle.lite;

import dev.ppedge.core.BundleException;
import dev.ppedge.core.Files;
import dev.ppedge.core.GoldenCase;
import dev.ppedge.core.GoldenEntry;
import dev.ppedge.core.Manifest;
import dev.ppedge.core.RecognizerEntry;
import dev.ppedge.demo.engine.Pictures;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Stands for Paddle Lite on a JVM that is not ARM's: answers the golden inputs of the bundle that {@code ppedge.recorded}
 * names with their golden outputs.
 *
 * <p>A file {@code die} in the app's own folder ends the process in the next run, as a failed check in native code does;
 * where it holds a model's name, in the next run of that one.
 */
public class PaddlePredictor {
    private final File die;
    private final Map<dev.ppedge.core.Tensor, dev.ppedge.core.Tensor> known =
            new IdentityHashMap<dev.ppedge.core.Tensor, dev.ppedge.core.Tensor>();
    private final String name;
    private int[] shape;
    private float[] data;
    private dev.ppedge.core.Tensor answer;

    private PaddlePredictor(File model) throws Exception {
        File folder = new File(System.getProperty("ppedge.recorded"));
        name = model.getName();
        die = new File(model.getParentFile().getParentFile(), "die");
        Manifest manifest = Manifest.read(Files.read(new File(folder, "manifest.json"), "manifest.json", 1 << 24));
        // A network that is no recogniser gives the same with each.
        for (RecognizerEntry recognizer : manifest.recognizers) {
            for (GoldenEntry entry : manifest.golden) {
                learn(model.getName(), recognizer, GoldenCase.read(folder, entry, recognizer, new Pictures()));
            }
        }
    }

    private void learn(String name, RecognizerEntry recognizer, GoldenCase golden) {
        if (name.equals("det.nb")) {
            known.put(golden.detInput, golden.detOutput);
        }
        for (GoldenCase.GoldenLine line : golden.lines) {
            if (name.equals(recognizer.path)) {
                known.put(line.recInput, line.recOutput);
            } else if (name.equals("cls.nb")) {
                known.put(line.clsInput, line.clsOutput);
            }
        }
    }

    public static PaddlePredictor createPaddlePredictor(ConfigBase config) {
        try {
            return new PaddlePredictor(new File(((MobileConfig) config).model));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    public Tensor getInput(int index) {
        return new Tensor(this, index, true);
    }

    public Tensor getOutput(int index) {
        return new Tensor(this, index, false);
    }

    public boolean run() {
        if (die.exists() && mustDie()) {
            Runtime.getRuntime().halt(134);
        }
        answer = null;
        for (Map.Entry<dev.ppedge.core.Tensor, dev.ppedge.core.Tensor> one : known.entrySet()) {
            if (alike(one.getKey())) {
                answer = one.getValue();
            }
        }
        return answer != null;
    }

    private boolean mustDie() {
        try {
            String which = new String(Files.read(die, "die", 100), StandardCharsets.UTF_8);
            return which.isEmpty() || which.equals(name);
        } catch (BundleException error) {
            throw new IllegalStateException(error);
        }
    }

    /** A corner that differs by a hundred-thousandth of a pixel can move a crop's pixel by one level. */
    private boolean alike(dev.ppedge.core.Tensor golden) {
        double sum = 0;
        if (!golden.shapeText().equals(Arrays.toString(shape)) || golden.data.length != data.length) {
            return false;
        }
        for (int i = 0; i < data.length; i++) {
            sum += Math.abs(data[i] - golden.data[i]);
        }
        return sum / data.length < 1e-4;
    }

    public String getVersion() {
        return "v2.13-rc";
    }

    boolean resize(int index, long[] sides) {
        shape = new int[sides.length];
        for (int i = 0; i < sides.length; i++) {
            shape[i] = (int) sides[i];
        }
        return true;
    }

    boolean setData(int index, float[] values) {
        data = values;
        return true;
    }

    long[] shape(int index, boolean input) {
        return answer.longShape();
    }

    float[] getFloatData(int index, boolean input) {
        return answer.data;
    }
}
