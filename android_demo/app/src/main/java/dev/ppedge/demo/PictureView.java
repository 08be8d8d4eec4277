package dev.ppedge.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.Path;
import android.graphics.RectF;
import android.os.Bundle;
import android.os.Parcelable;
import android.util.AttributeSet;
import android.util.TypedValue;
import android.view.GestureDetector;
import android.view.MotionEvent;
import android.view.ScaleGestureDetector;
import android.view.View;
import dev.ppedge.core.Line;
import dev.ppedge.demo.logic.Quads;
import dev.ppedge.demo.logic.Viewport;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A picture with the boxes and texts found in it; two fingers or a double tap zoom, one finger moves. */
public final class PictureView extends View {
    /** Told when the user touches a box. */
    interface OnSelect {
        /** A line was touched; -1 for none. */
        void selected(int index);
    }

    private static final float DOUBLE_TAP = 3;
    private static final float CLOSE = 2.5f;
    private static final String SUPER = "super";
    private static final String SEEN = "seen";

    private final Viewport viewport = new Viewport();
    private final Paint picturePaint = new Paint(Paint.FILTER_BITMAP_FLAG);
    private final Paint boxPaint = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint labelPaint = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint textPaint = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Path path = new Path();
    private final RectF label = new RectF();
    private final int boxColour;
    private final int selectedColour;
    private final int seamColour;
    private final float pad;
    private final GestureDetector gestures;
    private final ScaleGestureDetector scales;
    private Bitmap bitmap;
    private List<Line> lines = Collections.emptyList();
    private int selected = -1;
    private OnSelect onSelect;
    private float[] before; // what was seen before a turn of the phone: centre, zoom, the picture's size

    /** As layouts make it. */
    public PictureView(Context context, AttributeSet attributes) {
        super(context, attributes);
        boxColour = context.getColor(R.color.box);
        selectedColour = context.getColor(R.color.box_selected);
        seamColour = context.getColor(R.color.label_background);
        pad = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_DIP, 4, getResources().getDisplayMetrics());
        boxPaint.setStyle(Paint.Style.STROKE);
        boxPaint.setStrokeJoin(Paint.Join.ROUND);
        labelPaint.setColor(seamColour);
        textPaint.setColor(context.getColor(R.color.label_text));
        textPaint.setTextSize(getResources().getDimension(R.dimen.text_small));
        gestures = new GestureDetector(context, new Gestures());
        scales = new ScaleGestureDetector(context, new Scales());
    }

    void setOnSelect(OnSelect newOnSelect) {
        onSelect = newOnSelect;
    }

    /** Shows a picture, whole if it is another one than before, with what was found in it so far. */
    void setPicture(Bitmap newBitmap, List<Line> newLines) {
        if (newBitmap != bitmap && newBitmap != null) {
            viewport.setPicture(newBitmap.getWidth(), newBitmap.getHeight());
        }
        bitmap = newBitmap;
        lines = newLines;
        selected = -1;
        showAsBefore();
        invalidate();
    }

    /** Once there are a picture and a size: which comes first after a turn is the system's to say. */
    private void showAsBefore() {
        if (before == null || bitmap == null || getWidth() == 0) {
            return;
        }
        if (before[3] == bitmap.getWidth() && before[4] == bitmap.getHeight()) {
            viewport.show(before[0], before[1], before[2]);
        }
        before = null;
    }

    @Override
    protected Parcelable onSaveInstanceState() {
        Bundle state = new Bundle();
        state.putParcelable(SUPER, super.onSaveInstanceState());
        if (bitmap != null && getWidth() > 0) {
            float x = viewport.toPictureX(getWidth() / 2f);
            float y = viewport.toPictureY(getHeight() / 2f);
            state.putFloatArray(SEEN, new float[] {x, y, viewport.zoom(), bitmap.getWidth(), bitmap.getHeight()});
        }
        return state;
    }

    @Override
    protected void onRestoreInstanceState(Parcelable saved) {
        Bundle state = (Bundle) saved;
        super.onRestoreInstanceState(state.getParcelable(SUPER));
        before = state.getFloatArray(SEEN);
        showAsBefore();
        invalidate();
    }

    /** Marks a line, -1 for none, and moves it into sight if it is asked for. */
    void select(int index, boolean bringIntoSight) {
        selected = index;
        if (index >= 0 && bringIntoSight) {
            float[] q = lines.get(index).quad;
            float x = (q[0] + q[2] + q[4] + q[6]) / 4;
            float y = (q[1] + q[3] + q[5] + q[7]) / 4;
            viewport.show(x, y, Math.max(viewport.zoom(), CLOSE));
        }
        invalidate();
    }

    @Override
    protected void onSizeChanged(int width, int height, int oldWidth, int oldHeight) {
        viewport.setView(width, height);
        showAsBefore();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        if (bitmap == null) {
            return;
        }
        canvas.save();
        canvas.translate(viewport.left(), viewport.top());
        canvas.scale(viewport.scale(), viewport.scale());
        canvas.drawBitmap(bitmap, 0, 0, picturePaint);
        canvas.restore();
        for (int i = 0; i < lines.size(); i++) {
            if (i != selected) {
                drawLine(canvas, lines.get(i), false);
            }
        }
        if (selected >= 0) {
            drawLine(canvas, lines.get(selected), true); // last, so that nothing covers it
        }
    }

    /** A box keeps its stroke's width at every zoom; its text is drawn where there is room for it, or it is selected. */
    private void drawLine(Canvas canvas, Line line, boolean isSelected) {
        float[] q = line.quad;
        path.rewind();
        path.moveTo(viewX(q[0]), viewY(q[1]));
        for (int i = 2; i < 8; i += 2) {
            path.lineTo(viewX(q[i]), viewY(q[i + 1]));
        }
        path.close();
        boxPaint.setStrokeWidth(pad); // a dark seam: a box is seen on a picture of its own colour too
        boxPaint.setColor(seamColour);
        canvas.drawPath(path, boxPaint);
        boxPaint.setStrokeWidth(pad / 2);
        boxPaint.setColor(isSelected ? selectedColour : boxColour);
        canvas.drawPath(path, boxPaint);
        float room = Math.max(viewX(q[2]) - viewX(q[0]), viewY(q[7]) - viewY(q[1]));
        float width = textPaint.measureText(line.text);
        if (!line.text.isEmpty() && (isSelected || width <= room * 1.2f)) {
            drawLabel(canvas, line.text, viewX(Math.min(q[0], q[6])), viewY(Math.min(q[1], q[3])), width);
        }
    }

    private void drawLabel(Canvas canvas, String text, float x, float y, float width) {
        float height = textPaint.descent() - textPaint.ascent();
        float left = Math.max(0, Math.min(x, getWidth() - width - 2 * pad));
        float bottom = Math.max(height + pad, y - pad / 2);
        label.set(left, bottom - height - pad, left + width + 2 * pad, bottom);
        canvas.drawRoundRect(label, pad, pad, labelPaint);
        canvas.drawText(text, left + pad, bottom - pad / 2 - textPaint.descent(), textPaint);
    }

    private float viewX(float x) {
        return viewport.left() + x * viewport.scale();
    }

    private float viewY(float y) {
        return viewport.top() + y * viewport.scale();
    }

    @Override
    public boolean onTouchEvent(MotionEvent event) {
        scales.onTouchEvent(event);
        gestures.onTouchEvent(event);
        return true;
    }

    private List<float[]> quads() {
        List<float[]> quads = new ArrayList<float[]>(lines.size());
        for (Line line : lines) {
            quads.add(line.quad);
        }
        return quads;
    }

    private final class Gestures extends GestureDetector.SimpleOnGestureListener {
        @Override
        public boolean onDown(MotionEvent event) {
            return true;
        }

        @Override
        public boolean onScroll(MotionEvent first, MotionEvent now, float dx, float dy) {
            viewport.panBy(-dx, -dy);
            invalidate();
            return true;
        }

        @Override
        public boolean onDoubleTap(MotionEvent event) {
            viewport.zoomBy(viewport.zoom() > 1.01f ? 1 / viewport.zoom() : DOUBLE_TAP, event.getX(), event.getY());
            invalidate();
            return true;
        }

        @Override
        public boolean onSingleTapConfirmed(MotionEvent event) {
            performClick();
            int index = Quads.at(quads(), viewport.toPictureX(event.getX()), viewport.toPictureY(event.getY()));
            select(index, false);
            if (onSelect != null) {
                onSelect.selected(index);
            }
            return true;
        }
    }

    private final class Scales extends ScaleGestureDetector.SimpleOnScaleGestureListener {
        @Override
        public boolean onScale(ScaleGestureDetector detector) {
            viewport.zoomBy(detector.getScaleFactor(), detector.getFocusX(), detector.getFocusY());
            invalidate();
            return true;
        }
    }
}
