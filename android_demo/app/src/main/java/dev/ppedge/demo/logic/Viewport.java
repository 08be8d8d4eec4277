package dev.ppedge.demo.logic;

/** Which part of a picture a view shows: scale and offset, always such that the picture stays in sight. */
public final class Viewport {
    /** How much closer than the whole picture one can go. */
    public static final float MAX_ZOOM = 12;

    private float viewWidth;
    private float viewHeight;
    private float width = 1;
    private float height = 1;
    private float scale = 1;
    private float left;
    private float top;

    /** Tells the size of the view in pixels; the centre of what is seen stays where it is. */
    public void setView(float newWidth, float newHeight) {
        float x = toPictureX(viewWidth / 2);
        float y = toPictureY(viewHeight / 2);
        boolean first = viewWidth <= 0 || viewHeight <= 0;
        float zoom = first ? 1 : zoom();
        viewWidth = newWidth;
        viewHeight = newHeight;
        show(first ? width / 2 : x, first ? height / 2 : y, zoom);
    }

    /** Tells the size of the picture in pixels, and shows it whole. */
    public void setPicture(float newWidth, float newHeight) {
        width = newWidth;
        height = newHeight;
        show(width / 2, height / 2, 1);
    }

    /** Shows a point of the picture in the middle. A zoom of 1 is the whole picture. */
    public void show(float x, float y, float zoom) {
        scale = fit() * Math.max(1, Math.min(zoom, MAX_ZOOM));
        left = viewWidth / 2 - x * scale;
        top = viewHeight / 2 - y * scale;
        bound();
    }

    /** Zooms by a factor; the point of the view stays on the same point of the picture, as far as bounds allow. */
    public void zoomBy(float factor, float viewX, float viewY) {
        float x = toPictureX(viewX);
        float y = toPictureY(viewY);
        scale = Math.max(fit(), Math.min(scale * factor, fit() * MAX_ZOOM));
        left = viewX - x * scale;
        top = viewY - y * scale;
        bound();
    }

    /** Moves the picture by pixels of the view. */
    public void panBy(float dx, float dy) {
        left += dx;
        top += dy;
        bound();
    }

    /** 1 is the whole picture. */
    public float zoom() {
        return scale / fit();
    }

    /** Pixels of the view a pixel of the picture. */
    public float scale() {
        return scale;
    }

    /** Where the picture's left edge is, in pixels of the view. */
    public float left() {
        return left;
    }

    /** Where the picture's top edge is, in pixels of the view. */
    public float top() {
        return top;
    }

    /** Converts a place in the view to one in the picture. */
    public float toPictureX(float viewX) {
        return (viewX - left) / scale;
    }

    /** Converts a place in the view to one in the picture. */
    public float toPictureY(float viewY) {
        return (viewY - top) / scale;
    }

    private float fit() {
        return viewWidth <= 0 || viewHeight <= 0 ? 1 : Math.min(viewWidth / width, viewHeight / height);
    }

    /** Centres a picture that is smaller than the view; keeps the edges of a larger one outside it. */
    private void bound() {
        left = bounded(left, viewWidth, width * scale);
        top = bounded(top, viewHeight, height * scale);
    }

    private static float bounded(float start, float view, float size) {
        return size <= view ? (view - size) / 2 : Math.max(view - size, Math.min(start, 0));
    }
}
