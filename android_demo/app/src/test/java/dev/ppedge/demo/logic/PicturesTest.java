package dev.ppedge.demo.logic;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

public final class PicturesTest {
    @Test
    public void aPictureIsDecodedAsLargeAsMemoryAllows() {
        assertEquals(1, Sampling.factor(1, 1));
        assertEquals(1, Sampling.factor(3000, 2000));
        assertEquals(2, Sampling.factor(3000, 2001));
        assertEquals(2, Sampling.factor(4096, 3072)); // 12 megapixels
        assertEquals(8, Sampling.factor(16320, 12240)); // 200 megapixels
        assertEquals(2, Sampling.factor(5000, 10)); // a long strip
        assertEquals(1 << 19, Sampling.factor(Integer.MAX_VALUE, 1));
    }

    /** Where EXIF says that row 0 and column 0 of the stored picture are, when it is seen upright. */
    @Test
    public void everyOrientationIsTurnedUpright() {
        String[] corners = {"", "top left", "top right", "bottom right", "bottom left", "left top", "right top",
            "right bottom", "left bottom"};
        for (int orientation = 1; orientation <= 8; orientation++) {
            ExifTurn turn = ExifTurn.of(orientation);
            assertEquals(corners[orientation], side(turn, 0, -1) + " " + side(turn, -1, 0));
            assertEquals(orientation == 1, turn.isNone());
        }
        for (int unknown : new int[] {0, 9, -1, 65535}) {
            assertTrue(ExifTurn.of(unknown).isNone());
        }
        assertFalse(ExifTurn.of(2).isNone());
    }

    /** Turns a direction (x right, y down) of the stored picture and names it. */
    private static String side(ExifTurn turn, int x, int y) {
        int turnedX = turn.mirrored ? -x : x;
        int turnedY = y;
        for (int angle = 0; angle < turn.degrees; angle += 90) {
            int before = turnedX;
            turnedX = -turnedY; // clockwise, y pointing down
            turnedY = before;
        }
        return turnedX < 0 ? "left" : turnedX > 0 ? "right" : turnedY < 0 ? "top" : "bottom";
    }
}
