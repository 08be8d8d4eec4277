package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import dev.ppedge.core.DbSpec;
import org.junit.Test;

public final class SettingsTest {
    private static final DbSpec BUNDLE = new DbSpec(0.3, 0.6, 1000, 1.5, 3, 2, false, false);
    private static final double AS_BUNDLE = Settings.AS_BUNDLE;

    @Test
    public void whateverWasStoredIsWithinBounds() {
        Settings low = new Settings(-3, null, -1, 0, 0, Double.NaN, "");
        assertEquals(1, low.threads);
        assertEquals(PowerMode.HIGH, low.powerMode);
        assertEquals(0.05, low.thresh, 0);
        assertEquals(0.05, low.boxThresh, 0);
        assertEquals(0.5, low.unclipRatio, 0);
        assertEquals(0, low.minScore, 0);
        Settings high = new Settings(99, PowerMode.LOW, 7, 7, Double.POSITIVE_INFINITY, 7, "");
        assertEquals(Settings.MAX_THREADS, high.threads);
        assertEquals(0.95, high.thresh, 0);
        assertEquals(Settings.MAX_UNCLIP, high.unclipRatio, 0);
        assertEquals(1, high.minScore, 0);
    }

    @Test
    public void aFloatOfTheStorageIsTheNumberThatWasChosen() {
        assertEquals(0.35, new Settings(1, PowerMode.HIGH, 0.35f, 0.6f, 1.7f, 0, "").thresh, 0);
        assertEquals(1.7, new Settings(1, PowerMode.HIGH, 0.35f, 0.6f, 1.7f, 0, "").unclipRatio, 0);
    }

    @Test
    public void thresholdsReplaceTheBundlesOnlyWhereTheyWereChosen() {
        DbSpec same = Settings.standard(8).applyTo(BUNDLE);
        assertEquals(0.3, same.thresh, 0);
        assertEquals(0.6, same.boxThresh, 0);
        assertEquals(1.5, same.unclipRatio, 0);
        DbSpec changed = new Settings(1, PowerMode.HIGH, AS_BUNDLE, 0.8, AS_BUNDLE, 0, "").applyTo(BUNDLE);
        assertEquals(0.3, changed.thresh, 0);
        assertEquals(0.8, changed.boxThresh, 0);
        assertEquals(1000, changed.maxCandidates);
    }

    @Test
    public void anotherRecogniserReadsAnew_butLoadsNoOtherNetwork() {
        Settings first = Settings.standard(4);
        assertEquals("", first.recognizer);
        assertEquals("", new Settings(1, PowerMode.HIGH, AS_BUNDLE, AS_BUNDLE, AS_BUNDLE, 0, null).recognizer);
        Settings english = first.with("english");
        assertEquals("english", english.recognizer);
        assertEquals(first.threads, english.threads);
        assertFalse(first.readsLike(english));
        assertTrue(english.readsLike(first.with("english")));
        assertTrue(first.loadsLike(english));
    }

    @Test
    public void onlyThreadsAndCoresLoadAnew_onlyThresholdsReadAnew() {
        Settings one = new Settings(1, PowerMode.HIGH, AS_BUNDLE, AS_BUNDLE, AS_BUNDLE, 0, "");
        assertTrue(one.loadsLike(new Settings(1, PowerMode.HIGH, 0.5, AS_BUNDLE, AS_BUNDLE, 0.5, "")));
        assertFalse(one.loadsLike(one.with(2, PowerMode.HIGH, "")));
        assertFalse(one.loadsLike(one.with(1, PowerMode.LOW, "")));
        assertTrue(one.readsLike(new Settings(4, PowerMode.LOW, AS_BUNDLE, AS_BUNDLE, AS_BUNDLE, 0.9, "")));
        assertFalse(one.readsLike(new Settings(1, PowerMode.HIGH, AS_BUNDLE, 0.7, AS_BUNDLE, 0, "")));
    }
}
