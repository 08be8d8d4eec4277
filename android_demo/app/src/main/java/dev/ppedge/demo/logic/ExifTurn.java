package dev.ppedge.demo.logic;

/** How a picture must be turned to stand upright: the EXIF tag Orientation, 1 to 8 (EXIF 2.32, 4.6.4.A). */
public final class ExifTurn {
    /** Degrees clockwise: 0, 90, 180 or 270; applied after {@link #mirrored}. */
    public final int degrees;

    /** Whether left and right are exchanged first. */
    public final boolean mirrored;

    private ExifTurn(int degrees, boolean mirrored) {
        this.degrees = degrees;
        this.mirrored = mirrored;
    }

    /** Returns the turn of a tag's value; none for a value that EXIF does not know. */
    public static ExifTurn of(int orientation) {
        switch (orientation) {
            case 2:
                return new ExifTurn(0, true);
            case 3:
                return new ExifTurn(180, false);
            case 4:
                return new ExifTurn(180, true);
            case 5:
                return new ExifTurn(270, true);
            case 6:
                return new ExifTurn(90, false);
            case 7:
                return new ExifTurn(90, true);
            case 8:
                return new ExifTurn(270, false);
            default:
                return new ExifTurn(0, false);
        }
    }

    /** Whether nothing is to be done. */
    public boolean isNone() {
        return degrees == 0 && !mirrored;
    }
}
