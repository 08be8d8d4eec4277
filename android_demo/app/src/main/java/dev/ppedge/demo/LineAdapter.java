package dev.ppedge.demo;

import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.BaseAdapter;
import android.widget.TextView;
import dev.ppedge.core.Line;
import java.text.NumberFormat;
import java.util.Collections;
import java.util.List;

/** Lines of text with their scores. */
final class LineAdapter extends BaseAdapter {
    private final LayoutInflater inflater;
    private final NumberFormat percent = NumberFormat.getPercentInstance();
    private List<Line> lines = Collections.emptyList();

    LineAdapter(LayoutInflater inflater) {
        this.inflater = inflater;
    }

    void setLines(List<Line> newLines) {
        lines = newLines;
        notifyDataSetChanged();
    }

    @Override
    public int getCount() {
        return lines.size();
    }

    @Override
    public Line getItem(int position) {
        return lines.get(position);
    }

    @Override
    public long getItemId(int position) {
        return position;
    }

    @Override
    public View getView(int position, View old, ViewGroup parent) {
        View row = old == null ? inflater.inflate(R.layout.row_line, parent, false) : old;
        Line line = getItem(position);
        TextView text = (TextView) row.findViewById(R.id.text);
        TextView score = (TextView) row.findViewById(R.id.score);
        boolean empty = line.text.isEmpty();
        text.setText(empty ? row.getContext().getString(R.string.nothing_readable) : line.text);
        text.setTextColor(row.getContext().getColor(empty ? R.color.text_secondary : R.color.text_primary));
        String share = percent.format(line.score);
        score.setText(share);
        score.setContentDescription(row.getContext().getString(R.string.score_of_line, share));
        return row;
    }
}
