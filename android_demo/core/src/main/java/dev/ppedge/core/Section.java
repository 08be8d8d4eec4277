package dev.ppedge.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** An object of a JSON file, read strictly: a value that is missing, of another type or out of range is an error. */
final class Section {
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final int MAX_NAME = 200;

    private final Map<?, ?> values;
    private final String where;

    private Section(Map<?, ?> values, String where) {
        this.values = values;
        this.where = where;
    }

    /**
     * @param value what {@link Json#parse} gave
     * @param where the file, and the keys that lead here
     */
    static Section of(Object value, String where) throws BundleException {
        if (!(value instanceof Map)) {
            throw new BundleException(
                    Fault.CONTENT, where,
                    where + " is not an object.", "Make the bundle again.");
        }
        return new Section((Map<?, ?>) value, where);
    }

    boolean has(String key) {
        return values.get(key) != null;
    }

    Section section(String key) throws BundleException {
        return of(values.get(key), where + ": " + key);
    }

    String text(String key) throws BundleException {
        Object value = values.get(key);
        if (!(value instanceof String)) {
            throw wrong(key, "a text");
        }
        return (String) value;
    }

    /** A text that is one of some. */
    String choice(String key, String... choices) throws BundleException {
        String value = text(key);
        StringBuilder all = new StringBuilder();
        for (String one : choices) {
            if (one.equals(value)) {
                return value;
            }
            all.append(all.length() == 0 ? "" : " or ").append(one);
        }
        throw wrong(key, all.toString());
    }

    boolean flag(String key) throws BundleException {
        Object value = values.get(key);
        if (!(value instanceof Boolean)) {
            throw wrong(key, "true or false");
        }
        return (Boolean) value;
    }

    long whole(String key, long least, long most) throws BundleException {
        Object value = values.get(key);
        if (!(value instanceof Long) || (Long) value < least || (Long) value > most) {
            throw wrong(key, "a whole number from " + least + " to " + most);
        }
        return (Long) value;
    }

    double number(String key, double least, double most) throws BundleException {
        return number(values.get(key), key, least, most);
    }

    private double number(Object value, String key, double least, double most) throws BundleException {
        double number = value instanceof Number ? ((Number) value).doubleValue() : Double.NaN;
        if (!(number >= least && number <= most)) {
            throw wrong(key, "a number from " + least + " to " + most);
        }
        return number;
    }

    double[] numbers(String key, int count, double least, double most) throws BundleException {
        List<?> list = list(key);
        if (list.size() != count) {
            throw wrong(key, "a list of " + count + " numbers");
        }
        double[] numbers = new double[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = number(list.get(i), key, least, most);
        }
        return numbers;
    }

    private List<?> list(String key) throws BundleException {
        Object value = values.get(key);
        if (!(value instanceof List)) {
            throw wrong(key, "a list");
        }
        return (List<?>) value;
    }

    List<Section> sections(String key, int most) throws BundleException {
        List<?> list = list(key);
        if (list.size() > most) {
            throw wrong(key, "a list of at most " + most);
        }
        List<Section> sections = new ArrayList<Section>();
        for (int i = 0; i < list.size(); i++) {
            sections.add(of(list.get(i), where + ": " + key + "[" + i + "]"));
        }
        return sections;
    }

    /** The quad under a key: four pairs of x and y. */
    float[] quad(String key) throws BundleException {
        List<?> corners = list(key);
        float[] quad = new float[8];
        for (int i = 0; i < 8; i++) {
            Object corner = corners.size() == 4 ? corners.get(i / 2) : null;
            if (!(corner instanceof List) || ((List<?>) corner).size() != 2) {
                throw wrong(key, "four pairs of numbers");
            }
            quad[i] = (float) number(((List<?>) corner).get(i % 2), key, -1e6, 1e6);
        }
        return quad;
    }

    /** A tensor's shape. */
    int[] shape(String key, int rank) throws BundleException {
        double[] sizes = numbers(key, rank, 1, 1 << 20);
        int[] shape = new int[rank];
        for (int i = 0; i < rank; i++) {
            shape[i] = (int) sizes[i];
            if (shape[i] != sizes[i]) {
                throw wrong(key, "whole numbers");
            }
        }
        return shape;
    }

    /** A path inside the bundle: nothing that could lead out of it. */
    String path(String key) throws BundleException {
        String path = text(key);
        boolean inside = path.length() <= MAX_NAME && path.indexOf('\\') < 0 && path.indexOf('\0') < 0;
        for (String part : path.split("/", -1)) {
            inside &= !part.isEmpty() && !part.equals(".") && !part.equals("..");
        }
        if (!inside) {
            throw wrong(key, "a path inside the bundle");
        }
        return path;
    }

    String sha256(String key) throws BundleException {
        String value = text(key);
        if (!SHA256.matcher(value).matches()) {
            throw wrong(key, "64 hexadecimal digits");
        }
        return value;
    }

    /** The file that this section describes: {@code file}, {@code bytes}, {@code sha256}. */
    FileEntry file() throws BundleException {
        return new FileEntry(path("file"), whole("bytes", 0, 1L << 30), sha256("sha256"));
    }

    BundleException wrong(String key, String wanted) {
        Object value = values.get(key);
        String found = values.containsKey(key) ? "is " + Json.quoted(String.valueOf(value)) : "is missing";
        return new BundleException(
                Fault.CONTENT, where + ": " + key,
                where + ": " + key + " " + found + ", not " + wanted + ".", "Make the bundle again.");
    }
}
