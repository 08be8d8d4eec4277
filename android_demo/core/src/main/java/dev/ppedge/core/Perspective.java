package dev.ppedge.core;

/** Perspective transforms between four corners and a rectangle. */
final class Perspective {
    private Perspective() {}

    /**
     * Returns the matrix (3 x 3, row by row) that takes pixels of a rectangle into a quad.
     *
     * <p>Computed as OpenCV does, so that rounding errors are alike: the way there from eight equations, then its inverse.
     * Where the sides of a quad that are not parallel meet in the picture's origin, the eight equations have no solution;
     * seen from the quad's first corner they have.
     *
     * <p>A quad with three corners on a line, as clipping at a picture's corner may leave, has no such transform; its matrix
     * is all zeros, which means the picture's first pixel everywhere.
     *
     * @param quad x0, y0 .. x3, y3; the rectangle's corners run from its top-left one clockwise
     */
    static double[] toQuad(float[] quad, int width, int height) {
        double[] there = solve(equations(quad, 0, 0, width, height));
        if (there == null) {
            there = solve(equations(quad, quad[0], quad[1], width, height));
            for (int row = 0; there != null && row < 9; row += 3) {
                there[row + 2] -= there[row] * quad[0] + there[row + 1] * quad[1];
            }
        }
        return there == null ? new double[9] : inverse(there);
    }

    /** Returns the equations (8 x 9) of the transform of a quad, seen from a point, to a rectangle. */
    private static double[][] equations(float[] quad, float fromX, float fromY, int width, int height) {
        double[][] a = new double[8][9];
        float[] toX = {0, width, width, 0}; // products of the right-hand sides are rounded to float
        float[] toY = {0, 0, height, height};
        for (int i = 0; i < 4; i++) {
            float x = quad[2 * i] - fromX;
            float y = quad[2 * i + 1] - fromY;
            a[i] = new double[] {x, y, 1, 0, 0, 0, -x * toX[i], -y * toX[i], toX[i]};
            a[i + 4] = new double[] {0, 0, 0, x, y, 1, -x * toY[i], -y * toY[i], toY[i]};
        }
        return a;
    }

    /** Gauss's elimination with partial pivoting; the last column is the right-hand side. Appends 1; null if there is none. */
    private static double[] solve(double[][] a) {
        int n = a.length;
        for (int i = 0; i < n; i++) {
            int pivot = i;
            for (int j = i + 1; j < n; j++) {
                pivot = Math.abs(a[j][i]) > Math.abs(a[pivot][i]) ? j : pivot;
            }
            double[] swap = a[i];
            a[i] = a[pivot];
            a[pivot] = swap;
            if (!(Math.abs(a[i][i]) >= 100 * Math.ulp(1.0))) {
                return null;
            }
            double d = -1 / a[i][i];
            for (int j = i + 1; j < n; j++) {
                double factor = a[j][i] * d;
                for (int k = i + 1; k <= n; k++) {
                    a[j][k] += factor * a[i][k];
                }
            }
        }
        double[] x = new double[n + 1];
        for (int i = n - 1; i >= 0; i--) {
            double sum = a[i][n];
            for (int k = i + 1; k < n; k++) {
                sum -= a[i][k] * x[k];
            }
            x[i] = sum / a[i][i];
        }
        x[n] = 1;
        return x;
    }

    private static double[] inverse(double[] m) {
        double determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6])
                + m[2] * (m[3] * m[7] - m[4] * m[6]);
        if (determinant == 0 || Double.isNaN(determinant)) {
            return new double[9];
        }
        double d = 1 / determinant;
        return new double[] {
            (m[4] * m[8] - m[5] * m[7]) * d, (m[2] * m[7] - m[1] * m[8]) * d, (m[1] * m[5] - m[2] * m[4]) * d,
            (m[5] * m[6] - m[3] * m[8]) * d, (m[0] * m[8] - m[2] * m[6]) * d, (m[2] * m[3] - m[0] * m[5]) * d,
            (m[3] * m[7] - m[4] * m[6]) * d, (m[1] * m[6] - m[0] * m[7]) * d, (m[0] * m[4] - m[1] * m[3]) * d,
        };
    }
}
