package android.graphics;

/** A turn, which no upright picture needs. */
public class Matrix {
    public void setScale(float x, float y) {}

    public boolean postRotate(float degrees) {
        return true;
    }
}
