package dev.ppedge.core;

/** The largest difference of a stage, collected over a picture. */
final class Difference {
    private final Stage stage;
    private final String recognizer;
    private final double tolerance;
    private final String unit;
    private double largest;
    private String detail = "";

    /**
     * @param recognizer the name of the one that it is about; empty for none
     */
    Difference(Stage stage, String recognizer, double tolerance, String unit) {
        this.stage = stage;
        this.recognizer = recognizer;
        this.tolerance = tolerance;
        this.unit = unit;
    }

    /** Counts one difference; what is not a number counts as infinite. */
    void add(double difference, String where) {
        double value = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
        if (value > tolerance && detail.isEmpty()) {
            detail = where;
        }
        largest = Math.max(largest, value);
    }

    void tensors(Tensor got, Tensor wanted, String where) {
        if (sameShape(got, wanted, where)) {
            arrays(got.data, wanted.data, where);
        }
    }

    /** Whether two tensors can be compared at all; if not, that is an infinite difference. */
    boolean sameShape(Tensor got, Tensor wanted, String where) {
        if (!got.shapeText().equals(wanted.shapeText())) {
            add(Double.POSITIVE_INFINITY, where + ": shape " + got.shapeText() + ", not " + wanted.shapeText());
            return false;
        }
        for (float value : got.data) {
            if (Float.isNaN(value)) {
                add(Double.NaN, where + ": not a number");
                return false;
            }
        }
        return true;
    }

    void arrays(float[] got, float[] wanted, String where) {
        for (int i = 0; i < wanted.length; i++) {
            add(Math.abs((double) got[i] - wanted[i]), where);
        }
    }

    void pictures(Image got, Image wanted, String where) {
        if (got.width != wanted.width || got.height != wanted.height) {
            add(
                    Double.POSITIVE_INFINITY,
                    where + ": " + got.width + " x " + got.height + " pixels, not " + wanted.width + " x " + wanted.height);
            return;
        }
        for (int i = 0; i < wanted.bgr.length; i++) {
            add(Math.abs((got.bgr[i] & 255) - (wanted.bgr[i] & 255)), where);
        }
    }

    Check check() {
        return new Check(stage, recognizer, largest, tolerance, unit, detail);
    }
}
