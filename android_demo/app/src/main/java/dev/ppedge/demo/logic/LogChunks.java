package dev.ppedge.demo.logic;

import java.util.ArrayList;
import java.util.List;

/**
 * A result as lines for the log, which cuts at about 4000 bytes: {@code ppedge-result ID 1/3 PART}.
 *
 * <p>The log is the second way to a result, where the file cannot be reached; the parts joined are the file.
 */
public final class LogChunks {
    private static final int LONGEST = 3000;

    private LogChunks() {}

    /**
     * Cuts a result.
     *
     * @param id the request's
     * @param json in ASCII, on one line
     */
    public static List<String> of(String id, String json) {
        int count = Math.max(1, (json.length() + LONGEST - 1) / LONGEST);
        List<String> lines = new ArrayList<String>(count);
        for (int i = 0; i < count; i++) {
            String part = json.substring(i * LONGEST, Math.min(json.length(), (i + 1) * LONGEST));
            lines.add("ppedge-result " + id + " " + (i + 1) + "/" + count + " " + part);
        }
        return lines;
    }
}
