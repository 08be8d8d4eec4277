package dev.ppedge.demo.engine;

import android.os.Build;
import com.baidu.paddle.lite.MobileConfig;
import com.baidu.paddle.lite.PaddlePredictor;
import com.baidu.paddle.lite.PowerMode;
import dev.ppedge.core.BundleException;
import dev.ppedge.core.Network;
import dev.ppedge.core.Tensor;
import dev.ppedge.demo.logic.CrashMarker;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;
import dev.ppedge.demo.logic.Settings;
import java.io.File;
import java.io.IOException;
import java.util.Arrays;

/**
 * A model in Paddle Lite. The only class that names Paddle Lite's: without them it cannot be used, and nothing else
 * suffers. For the engine's thread only.
 *
 * <p>Every step into native code is marked, because a failed check there ends the process.
 */
public final class LitePredictor implements Network {
    private final String name;
    private final CrashMarker marker;
    private final PaddlePredictor predictor;

    /**
     * Loads a model whose file was checked.
     *
     * @throws ProblemException NO_LIBRARY or REFUSED_MODEL
     */
    LitePredictor(File model, Settings settings, CrashMarker marker) throws ProblemException {
        name = model.getName();
        this.marker = marker;
        begin("loading " + name + ", threads " + settings.threads + ", cores " + settings.powerMode.word);
        try {
            MobileConfig config = new MobileConfig();
            config.setModelFromFile(model.getPath());
            config.setThreads(settings.threads);
            config.setPowerMode(PowerMode.valueOf("LITE_POWER_" + settings.powerMode.name()));
            predictor = PaddlePredictor.createPaddlePredictor(config);
        } catch (LinkageError error) {
            // The static initialiser of Paddle Lite's classes loads the library.
            throw new ProblemException(
                    Problem.NO_LIBRARY, Arrays.toString(Build.SUPPORTED_ABIS) + ": " + error.getMessage(), error);
        } finally {
            end();
        }
        if (predictor == null) {
            throw new ProblemException(Problem.REFUSED_MODEL, name);
        }
    }

    /**
     * Checks that the app was built with Paddle Lite's classes, without running any of their code.
     *
     * @throws ProblemException NO_RUNTIME
     */
    static void requireRuntime() throws ProblemException {
        String needed = "com.baidu.paddle.lite.PaddlePredictor";
        try {
            Class.forName(needed, false, LitePredictor.class.getClassLoader());
        } catch (ClassNotFoundException error) {
            throw new ProblemException(Problem.NO_RUNTIME, needed, error);
        }
    }

    /** Returns Paddle Lite's version; empty if it has none. */
    String runtimeVersion() throws ProblemException {
        begin("asking Paddle Lite for its version");
        try {
            String version = predictor.getVersion();
            return version == null ? "" : version;
        } catch (LinkageError error) {
            return "";
        } finally {
            end();
        }
    }

    @Override
    public Tensor run(Tensor input) throws ProblemException, BundleException {
        begin("running " + name + " on " + input.shapeText());
        try {
            com.baidu.paddle.lite.Tensor in = predictor.getInput(0);
            require(in != null, "getInput gave nothing");
            require(in.resize(input.longShape()), "resize to " + input.shapeText() + " was refused");
            require(in.setData(input.data), "setData was refused for " + input.shapeText());
            require(predictor.run(), "run failed");
            com.baidu.paddle.lite.Tensor out = predictor.getOutput(0);
            require(out != null, "getOutput gave nothing");
            long[] sizes = out.shape();
            float[] values = out.getFloatData();
            require(sizes != null && values != null, "the output is empty");
            int[] shape = new int[sizes.length];
            for (int i = 0; i < shape.length; i++) {
                shape[i] = (int) sizes[i];
                require(shape[i] == sizes[i], "the output's shape is " + Arrays.toString(sizes));
            }
            return new Tensor(shape, values);
        } finally {
            end();
        }
    }

    private void require(boolean fine, String otherwise) throws ProblemException {
        if (!fine) {
            throw new ProblemException(Problem.NATIVE_FAILURE, name + ": " + otherwise);
        }
    }

    private void begin(String what) throws ProblemException {
        try {
            marker.begin(what);
        } catch (IOException error) {
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        }
    }

    private void end() throws ProblemException {
        try {
            marker.end();
        } catch (IOException error) {
            throw new ProblemException(Problem.NO_STORAGE, String.valueOf(error.getMessage()), error);
        }
    }
}
