package dev.ppedge.core;

/** A turned rectangle, in the numbers that OpenCV's {@code minAreaRect} gives: centre, size, angle. */
final class Rectangle {
    final float centreX;
    final float centreY;
    final float width;
    final float height;

    /** In degrees. */
    final float angle;

    Rectangle(float centreX, float centreY, float width, float height, float angle) {
        this.centreX = centreX;
        this.centreY = centreY;
        this.width = width;
        this.height = height;
        this.angle = angle;
    }

    float shorterSide() {
        return Math.min(width, height);
    }

    /**
     * Grows each side by 2 D, D = area x ratio / perimeter: what offsetting by D with round joins and taking the
     * minimum-area rectangle again gives.
     */
    Rectangle grown(double ratio) {
        double growth = (double) width * height * ratio / ((double) width + height);
        return new Rectangle(centreX, centreY, (float) (width + growth), (float) (height + growth), angle);
    }

    /** The shorter side after growing, not yet rounded to float. */
    double grownShorterSide(double ratio) {
        return shorterSide() + (double) width * height * ratio / ((double) width + height);
    }

    /** Returns x0, y0 .. x3, y3. */
    float[] corners() {
        double radians = angle * Math.PI / 180;
        float cosine = (float) Math.cos(radians) * 0.5f;
        float sine = (float) Math.sin(radians) * 0.5f;
        float[] c = new float[8];
        c[0] = centreX - sine * height - cosine * width;
        c[1] = centreY + cosine * height - sine * width;
        c[2] = centreX + sine * height - cosine * width;
        c[3] = centreY - cosine * height - sine * width;
        c[4] = 2 * centreX - c[0];
        c[5] = 2 * centreY - c[1];
        c[6] = 2 * centreX - c[2];
        c[7] = 2 * centreY - c[3];
        return c;
    }
}
