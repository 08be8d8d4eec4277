package dev.ppedge.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A golden picture as the manifest names it. */
public final class GoldenEntry {
    /** {@code 01}. */
    public final String name;

    /** The files under {@code golden/NN/}. */
    public final List<FileEntry> files;

    GoldenEntry(String name, List<FileEntry> files) {
        this.name = name;
        this.files = Collections.unmodifiableList(new ArrayList<FileEntry>(files));
    }
}
