package dev.ppedge.core;

import static org.junit.Assert.assertEquals;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import org.junit.Test;

/** How long it takes: the thread's own time, printed, not asserted, as another machine is another time. */
public final class SpeedTest {
    private static final int SIDE = 960;

    /** Forty slightly turned lines of text, with soft edges. */
    private static float[] map() {
        float[] map = new float[SIDE * SIDE];
        for (int row = 0; row < 10; row++) {
            for (int column = 0; column < 4; column++) {
                double angle = (row * 4 + column - 20) * 0.008;
                for (int y = -48; y < 48; y++) {
                    for (int x = -120; x < 120; x++) {
                        double u = x * Math.cos(angle) + y * Math.sin(angle);
                        double v = y * Math.cos(angle) - x * Math.sin(angle);
                        if (Math.abs(u) <= 95 && Math.abs(v) <= 14) {
                            map[(row * 96 + 48 + y) * SIDE + column * 240 + 120 + x] = (float) (0.95 - 0.02 * Math.abs(v));
                        }
                    }
                }
            }
        }
        return map;
    }

    @Test
    public void postProcessing() throws Exception {
        float[] map = map();
        DbSpec spec = new DbSpec(0.3, 0.6, 1000, 1.5, 3, 2, false, false);
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        double[] milliseconds = new double[60];
        for (int i = -30; i < milliseconds.length; i++) {
            long before = threads.getCurrentThreadCpuTime();
            assertEquals(40, DbPostprocess.boxes(map, SIDE, SIDE, SIDE, SIDE, spec).size());
            if (i >= 0) {
                milliseconds[i] = (threads.getCurrentThreadCpuTime() - before) / 1e6;
            }
        }
        Statistics statistics = new Statistics(milliseconds);
        System.out.println("960x960, 40 boxes, warm: processor time p50 " + statistics.p50 + " ms, p90 " + statistics.p90 + " ms");
    }
}
