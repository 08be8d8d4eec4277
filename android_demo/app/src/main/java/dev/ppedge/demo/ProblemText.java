package dev.ppedge.demo;

import android.content.Context;
import dev.ppedge.core.Fault;
import dev.ppedge.demo.engine.PhoneInfo;
import dev.ppedge.demo.logic.JsonWriter;
import dev.ppedge.demo.logic.Problem;
import dev.ppedge.demo.logic.ProblemException;

/** A problem in words: what is wrong, and what to do next. */
final class ProblemText {
    /** What a button can do about a problem. */
    enum Remedy {
        /** Nothing: it takes another app or another picture. */
        NONE,
        /** Do it once more. */
        RETRY,
        /** Take note of an abort, then do it once more. */
        RETRY_AFTER_ABORT,
        /** Run the models with a runtime that is too old. */
        ALLOW_OLD_RUNTIME
    }

    private ProblemText() {}

    static int title(Problem problem) {
        switch (problem) {
            case NO_BUNDLE:
                return R.string.no_bundle_title;
            case BAD_BUNDLE:
                return R.string.bad_bundle_title;
            case NO_RUNTIME:
                return R.string.no_runtime_title;
            case NO_LIBRARY:
                return R.string.no_library_title;
            case OLD_RUNTIME:
                return R.string.old_runtime_title;
            case REFUSED_MODEL:
                return R.string.refused_model_title;
            case NATIVE_FAILURE:
                return R.string.native_failure_title;
            case NATIVE_ABORT:
                return R.string.native_abort_title;
            case BAD_PICTURE:
                return R.string.bad_picture_title;
            case CUT_OFF_PICTURE:
                return R.string.cut_off_picture_title;
            case NO_MEMORY:
                return R.string.no_memory_title;
            case NO_STORAGE:
                return R.string.no_storage_title;
            case BAD_REQUEST:
                return R.string.bad_request_title;
            case NO_GOLDEN:
                return R.string.no_golden_title;
            case STOPPED:
                return R.string.stopped_title;
            case LEFT:
                return R.string.left_title;
            default:
                return R.string.unexpected_title;
        }
    }

    private static int advice(Problem problem) {
        switch (problem) {
            case NO_BUNDLE:
                return R.string.no_bundle_text;
            case BAD_BUNDLE:
                return R.string.bad_bundle_text;
            case NO_RUNTIME:
                return R.string.no_runtime_text;
            case NO_LIBRARY:
                return R.string.no_library_text;
            case OLD_RUNTIME:
                return R.string.old_runtime_text;
            case REFUSED_MODEL:
                return R.string.refused_model_text;
            case NATIVE_FAILURE:
                return R.string.native_failure_text;
            case NATIVE_ABORT:
                return R.string.native_abort_text;
            case BAD_PICTURE:
                return R.string.bad_picture_text;
            case CUT_OFF_PICTURE:
                return R.string.cut_off_picture_text;
            case NO_MEMORY:
                return R.string.no_memory_text;
            case NO_STORAGE:
                return R.string.no_storage_text;
            case BAD_REQUEST:
                return R.string.bad_request_text;
            case NO_GOLDEN:
                return R.string.no_golden_text;
            case STOPPED:
                return R.string.stopped_text;
            case LEFT:
                return R.string.left_text;
            default:
                return R.string.unexpected_text;
        }
    }

    private static int sentence(Fault fault) {
        switch (fault) {
            case OTHER_VERSION:
                return R.string.fault_other_version;
            case MISSING:
                return R.string.fault_missing;
            case CHANGED:
                return R.string.fault_changed;
            case CONTENT:
                return R.string.fault_content;
            case SIZE:
                return R.string.fault_size;
            case OUTPUT:
                return R.string.fault_output;
            case NOT_A_NUMBER:
                return R.string.fault_not_a_number;
            default:
                return R.string.fault_failed;
        }
    }

    /** Returns what to do, and below it what is known. */
    static String text(Context context, ProblemException problem) {
        String detail = problem.fault == null ? problem.getMessage()
                : context.getString(sentence(problem.fault), problem.where);
        String advice = context.getString(advice(problem.problem));
        return detail == null || detail.isEmpty() ? advice : advice + "\n\n" + detail;
    }

    static Remedy remedy(Problem problem) {
        switch (problem) {
            case NO_BUNDLE:
            case NO_RUNTIME:
            case NO_LIBRARY:
            case NO_GOLDEN:
            case BAD_PICTURE:
            case CUT_OFF_PICTURE:
                return Remedy.NONE;
            case NATIVE_ABORT:
                return Remedy.RETRY_AFTER_ABORT;
            case OLD_RUNTIME:
                return Remedy.ALLOW_OLD_RUNTIME;
            default:
                return Remedy.RETRY;
        }
    }

    /** Returns what a developer needs to know, for the clipboard. */
    static String report(Context context, ProblemException problem) {
        StringBuilder text = new StringBuilder();
        text.append(problem.problem).append(": ").append(problem.getMessage()).append('\n');
        text.append(JsonWriter.write(PhoneInfo.of(context))).append('\n');
        for (Throwable cause = problem.getCause(); cause != null; cause = cause.getCause()) {
            text.append(cause).append('\n');
            for (StackTraceElement frame : cause.getStackTrace()) {
                text.append("    ").append(frame).append('\n');
            }
        }
        return text.toString();
    }
}
