package dev.ppedge.core;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

/** How long it takes, printed, not asserted: another machine is another time. */
public final class SpeedTest {
    private static final int SIDE = 960;

    /** Forty slightly turned lines of text, with soft edges. */
    private static float[] map() {
        float[] map = new float[SIDE * SIDE];
        for (int row = 0; row < 10; row++) {
            for (int column = 0; column < 4; column++) {
                double angle = (row * 4 + column - 20) * 0.008;
                for (int v = -14; v <= 14; v++) {
                    for (int u = -95; u <= 95; u++) {
                        int x = (int) Math.round(column * 240 + 120 + u * Math.cos(angle) - v * Math.sin(angle));
                        int y = (int) Math.round(row * 96 + 48 + u * Math.sin(angle) + v * Math.cos(angle));
                        map[y * SIDE + x] = 0.95f - 0.02f * Math.abs(v);
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
        double[] milliseconds = new double[60];
        for (int i = -30; i < milliseconds.length; i++) {
            long before = System.nanoTime();
            assertEquals(40, DbPostprocess.boxes(map, SIDE, SIDE, SIDE, SIDE, spec).size());
            if (i >= 0) {
                milliseconds[i] = (System.nanoTime() - before) / 1e6;
            }
        }
        Statistics statistics = new Statistics(milliseconds);
        System.out.println("960x960, 40 boxes, warm: p50 " + statistics.p50 + " ms, p90 " + statistics.p90 + " ms");
    }
}
