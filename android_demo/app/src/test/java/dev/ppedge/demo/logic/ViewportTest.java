package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.Test;

public final class ViewportTest {
    private static final float SMALL = 1e-2f;

    private static Viewport of(float viewWidth, float viewHeight, float width, float height) {
        Viewport viewport = new Viewport();
        viewport.setPicture(width, height);
        viewport.setView(viewWidth, viewHeight);
        return viewport;
    }

    @Test
    public void aPictureIsShownWholeAndCentred() {
        for (boolean viewFirst : new boolean[] {true, false}) {
            Viewport viewport = new Viewport();
            if (viewFirst) {
                viewport.setView(1000, 800);
            }
            viewport.setPicture(500, 100);
            viewport.setView(1000, 800);
            assertEquals(2, viewport.scale(), SMALL);
            assertEquals(0, viewport.left(), SMALL);
            assertEquals(300, viewport.top(), SMALL);
        }
    }

    @Test
    public void thePointUnderTheFingersStays() {
        Viewport viewport = of(1000, 800, 2000, 1600);
        float x = viewport.toPictureX(400);
        float y = viewport.toPictureY(300);
        viewport.zoomBy(3, 400, 300);
        assertEquals(3, viewport.zoom(), SMALL);
        assertEquals(x, viewport.toPictureX(400), SMALL);
        assertEquals(y, viewport.toPictureY(300), SMALL);
    }

    @Test
    public void whatIsInTheMiddleStaysThereWhenThePhoneIsTurned() {
        Viewport viewport = of(1000, 800, 2000, 1600);
        viewport.show(700, 900, 4);
        viewport.setView(800, 1000);
        assertEquals(4, viewport.zoom(), SMALL);
        assertEquals(700, viewport.toPictureX(400), SMALL);
        assertEquals(900, viewport.toPictureY(500), SMALL);
    }

    @Test
    public void noGestureLosesThePicture() {
        Random random = new Random(7);
        Viewport viewport = of(1000, 800, 300, 900);
        for (int i = 0; i < 5000; i++) {
            if (random.nextBoolean()) {
                viewport.panBy(random.nextFloat() * 4000 - 2000, random.nextFloat() * 4000 - 2000);
            } else {
                viewport.zoomBy(random.nextFloat() * 3, random.nextFloat() * 1000, random.nextFloat() * 800);
            }
            assertTrue(viewport.zoom() >= 1 - SMALL && viewport.zoom() <= Viewport.MAX_ZOOM + SMALL);
            float width = 300 * viewport.scale();
            float right = viewport.left() + width;
            // Either all of it is in the view, or all of the view is in it.
            boolean inside = viewport.left() >= -SMALL && right <= 1000 + SMALL;
            boolean covers = viewport.left() <= SMALL && right >= 1000 - SMALL;
            assertTrue(inside || covers);
        }
    }

    @Test
    public void aFingerFindsTheInnermostBox() {
        List<float[]> quads = Arrays.asList(
                new float[] {0, 0, 100, 0, 100, 100, 0, 100},
                new float[] {10, 10, 30, 12, 29, 22, 9, 20},
                new float[] {200, 0, 250, 50, 200, 100, 150, 50});
        assertEquals(1, Quads.at(quads, 20, 15));
        assertEquals(0, Quads.at(quads, 20, 40));
        assertEquals(2, Quads.at(quads, 200, 50));
        assertEquals(-1, Quads.at(quads, 155, 5));
    }
}
