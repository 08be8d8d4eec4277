package dev.ppedge.demo.logic;

import dev.ppedge.core.ChainLink;
import dev.ppedge.core.ModelEntry;

/** Where a model comes from: the manifests of its stages, newest first, down to its recipe. */
public final class Origin {
    private static final int SHORT = 12;

    private Origin() {}

    /**
     * Returns the run's name, then a line for each stage, then the recipe; empty for a model without a chain.
     *
     * @param whole whether all 64 digits of each SHA-256 are shown, or the first 12
     */
    public static String of(ModelEntry model, boolean whole) {
        if (model.chain.isEmpty()) {
            return "";
        }
        StringBuilder text = new StringBuilder(model.chain.get(0).run);
        String recipe = "";
        for (ChainLink link : model.chain) {
            text.append('\n').append(link.stage).append(' ').append(cut(link.manifestSha256, whole));
            recipe = link.recipeSha256;
        }
        return text.append("\nrecipe.yml ").append(cut(recipe, whole)).toString();
    }

    private static String cut(String sha256, boolean whole) {
        return whole ? sha256 : sha256.substring(0, SHORT);
    }
}
