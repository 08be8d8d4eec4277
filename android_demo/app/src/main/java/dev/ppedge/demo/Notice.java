package dev.ppedge.demo;

import android.app.Activity;
import android.view.View;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.TextView;
import dev.ppedge.demo.logic.ProblemException;

/** What stands in the place of a picture: how to begin, that one is being opened, or what went wrong. */
final class Notice {
    private Notice() {}

    /**
     * @param problem null where there is none
     * @param running whether a picture is being opened
     */
    static void show(Activity screen, ProblemException problem, boolean running) {
        ImageView icon = (ImageView) screen.findViewById(R.id.notice_icon);
        icon.setImageResource(problem == null ? R.drawable.ic_text_picture : R.drawable.ic_problem);
        icon.setImageTintList(screen.getResources().getColorStateList(
                problem == null ? R.color.accent : R.color.failure, screen.getTheme()));
        TextView title = (TextView) screen.findViewById(R.id.notice_title);
        TextView text = (TextView) screen.findViewById(R.id.notice_text);
        Button action = (Button) screen.findViewById(R.id.notice_action);
        screen.findViewById(R.id.notice_copy).setVisibility(problem == null ? View.GONE : View.VISIBLE);
        if (problem == null) {
            title.setText(running ? R.string.opening : R.string.empty_title);
            text.setText(running ? "" : screen.getString(R.string.empty_text));
            action.setVisibility(View.GONE);
            return;
        }
        title.setText(ProblemText.title(problem.problem));
        text.setText(ProblemText.text(screen, problem));
        ProblemText.Remedy remedy = ProblemText.remedy(problem.problem);
        action.setVisibility(remedy == ProblemText.Remedy.NONE ? View.GONE : View.VISIBLE);
        action.setText(remedy == ProblemText.Remedy.ALLOW_OLD_RUNTIME ? R.string.go_on_anyway : R.string.try_again);
    }
}
