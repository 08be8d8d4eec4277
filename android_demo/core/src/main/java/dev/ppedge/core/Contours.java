package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * The borders of a binary picture's components, outer ones and those of holes.
 *
 * <p>Border following after Suzuki and Abe 1985, "Topological Structural Analysis of Digitized Binary Images by Border
 * Following": components hang together over corners, and the border of a hole runs over the pixels of the component that
 * surrounds it. A border is a list of x, y pairs, every pixel of it; the list comes in OpenCV's order, the last found
 * first.
 */
final class Contours {
    /** The eight neighbours, counter-clockwise as seen on the screen, from the right one on. */
    private static final int[] DX = {1, 1, 0, -1, -1, -1, 0, 1};
    private static final int[] DY = {0, -1, -1, -1, 0, 1, 1, 1};

    /** A pixel of a component that is on no border yet. */
    private static final byte FRESH = 1;

    /** One that is on a border. */
    private static final byte SEEN = 2;

    /** One that is on a border and has background to its right. */
    private static final byte SEEN_RIGHT = 3;

    private final byte[] pixels;
    private final int stride;
    private final int[] steps = new int[8];

    private Contours(boolean[] binary, int height, int width) {
        stride = width + 2; // a frame of background: no neighbour lies outside
        pixels = new byte[stride * (height + 2)];
        for (int y = 0; y < height; y++) {
            for (int x = 0, to = (y + 1) * stride + 1; x < width; x++, to++) {
                pixels[to] = binary[y * width + x] ? FRESH : 0;
            }
        }
        for (int i = 0; i < 8; i++) {
            steps[i] = DY[i] * stride + DX[i];
        }
    }

    /**
     * Returns the borders.
     *
     * @param binary height x width values
     */
    static List<int[]> find(boolean[] binary, int height, int width) {
        Contours picture = new Contours(binary, height, width);
        List<int[]> borders = new ArrayList<int[]>();
        byte[] pixels = picture.pixels;
        for (int y = 1; y <= height; y++) {
            for (int x = 1, at = y * picture.stride + 1; x <= width; x++, at++) {
                if (pixels[at] == FRESH && pixels[at - 1] == 0) {
                    borders.add(picture.follow(at, 4));
                } else if (pixels[at] != 0 && pixels[at] != SEEN_RIGHT && pixels[at + 1] == 0) {
                    borders.add(picture.follow(at, 0));
                }
            }
        }
        Collections.reverse(borders);
        return borders;
    }

    /** Follows a border, {@code side} being the direction of the background that it was found by. */
    private int[] follow(int start, int side) {
        int direction = side;
        do { // clockwise, to the first neighbour in the component
            direction = direction + 7 & 7;
        } while (pixels[start + steps[direction]] == 0 && direction != side);
        if (pixels[start + steps[direction]] == 0) { // a pixel alone
            pixels[start] = SEEN_RIGHT;
            return new int[] {start % stride - 1, start / stride - 1};
        }
        int[] points = new int[16];
        int count = 0;
        int last = start + steps[direction];
        int at = start;
        while (true) {
            int from = direction;
            do { // counter-clockwise, to the next pixel of the border
                direction = direction + 1 & 7;
            } while (pixels[at + steps[direction]] == 0);
            if (turn(from, 0) < turn(from, direction)) { // the search passed the right neighbour: it is background
                pixels[at] = SEEN_RIGHT;
            } else if (pixels[at] == FRESH) {
                pixels[at] = SEEN;
            }
            if (count + 2 > points.length) {
                points = Arrays.copyOf(points, count * 2);
            }
            points[count++] = at % stride - 1;
            points[count++] = at / stride - 1;
            int next = at + steps[direction];
            if (next == start && at == last) {
                return Arrays.copyOf(points, count);
            }
            at = next;
            direction = direction + 4 & 7;
        }
    }

    /** Steps counter-clockwise from one direction to another, 1 to 8. */
    private static int turn(int from, int to) {
        return (to - from - 1 & 7) + 1;
    }
}
