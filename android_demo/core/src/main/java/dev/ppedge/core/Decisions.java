package dev.ppedge.core;

/**
 * How much of what follows from a network's output is decided otherwise: which pixels are text, which character a step
 * is.
 *
 * <p>For int8 models: the PC computes with rounded numbers in float, the phone in whole numbers, and where two classes are
 * nearly alike a probability may jump from 0 to 1 by that. Of the same network few decisions change, of another one most.
 */
final class Decisions {
    private static final int LITTLE_TEXT = 100;

    private long others;
    private long all;
    private double moved;
    private long moves;

    /** Counts pixels: of those that either map takes for text, or of a hundredth of all where that is less. */
    void text(Tensor got, Tensor wanted, double thresh) {
        long either = 0;
        for (int i = 0; i < wanted.data.length; i++) {
            boolean one = got.data[i] > (float) thresh;
            boolean other = wanted.data[i] > (float) thresh;
            if (one || other) {
                either++;
                moves++;
                moved += Odds.change(got.data[i], wanted.data[i]);
            }
            others += one == other ? 0 : 1;
        }
        all += Math.max(either, (wanted.data.length + LITTLE_TEXT - 1) / LITTLE_TEXT);
    }

    /** Counts the steps of a line; both are (1, T, C). */
    void steps(Tensor got, Tensor wanted) {
        int classes = wanted.size(2);
        for (int begin = 0; begin < wanted.data.length; begin += classes) {
            int likeliest = likeliest(wanted.data, begin, classes);
            others += likeliest(got.data, begin, classes) == likeliest ? 0 : 1;
            all++;
            moves++;
            moved += Odds.change(got.data[likeliest], wanted.data[likeliest]);
        }
    }

    private static int likeliest(float[] values, int begin, int count) {
        int best = begin;
        for (int i = begin; i < begin + count; i++) {
            best = values[i] > values[best] ? i : best;
        }
        return best;
    }

    /** The mean change of the log-odds, 0 to 1, of what the share is of; not a number where nothing was counted. */
    double change() {
        return moves == 0 ? Double.NaN : moved / moves;
    }

    /** 0, all alike, to 1; 0 where nothing was counted. */
    double share() {
        return all == 0 ? 0 : Math.min(1, (double) others / all);
    }
}
