package dev.ppedge.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A strict and bounded reader of JSON (RFC 8259).
 *
 * <p>Objects become {@code Map<String, Object>} in the file's order, arrays {@code List<Object>}, numbers {@code Long} or
 * {@code Double}, null stays null. A key that occurs twice is an error.
 */
public final class Json {
    /** Nesting beyond this is refused: it would exhaust the stack. */
    public static final int MAX_DEPTH = 32;

    /** A longer text is refused. */
    public static final int MAX_CHARACTERS = 1 << 24;

    private final String text;
    private final String what;
    private int at;

    private Json(String text, String what) {
        this.text = text;
        this.what = what;
    }

    /**
     * Reads a text that is one JSON value.
     *
     * @param what the text's name, for the error
     * @throws BundleException if it is not JSON, or beyond the bounds
     */
    public static Object parse(String text, String what) throws BundleException {
        Json reader = new Json(text, what);
        if (text.length() > MAX_CHARACTERS) {
            throw reader.error("is longer than " + MAX_CHARACTERS + " characters");
        }
        Object value = reader.value(0);
        reader.skipSpace();
        if (reader.at < text.length()) {
            throw reader.error("goes on after its end");
        }
        return value;
    }

    private Object value(int depth) throws BundleException {
        if (depth > MAX_DEPTH) {
            throw error("is nested too deeply");
        }
        skipSpace();
        switch (peek()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) throws BundleException {
        Map<String, Object> object = new LinkedHashMap<String, Object>();
        at++;
        skipSpace();
        if (take('}')) {
            return object;
        }
        do {
            skipSpace();
            if (peek() != '"') {
                throw error("has something else where a key should be");
            }
            String key = string();
            skipSpace();
            if (!take(':')) {
                throw error("lacks a colon");
            }
            if (object.containsKey(key)) {
                throw error("has the key " + quoted(key) + " twice");
            }
            object.put(key, value(depth + 1));
            skipSpace();
        } while (take(','));
        if (!take('}')) {
            throw error("lacks a comma or a closing brace");
        }
        return object;
    }

    private List<Object> array(int depth) throws BundleException {
        List<Object> array = new ArrayList<Object>();
        at++;
        skipSpace();
        if (take(']')) {
            return array;
        }
        do {
            array.add(value(depth + 1));
            skipSpace();
        } while (take(','));
        if (!take(']')) {
            throw error("lacks a comma or a closing bracket");
        }
        return array;
    }

    private String string() throws BundleException {
        StringBuilder string = new StringBuilder();
        at++;
        while (true) {
            char c = peek();
            at++;
            if (c == '"') {
                return string.toString();
            }
            if (c < ' ') {
                throw error("has a control character, or its end, inside a string");
            }
            string.append(c == '\\' ? escaped() : c);
        }
    }

    private char escaped() throws BundleException {
        char c = peek();
        at++;
        int plain = "\"\\/bfnrt".indexOf(c);
        if (plain >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(plain);
        }
        if (c != 'u' || at + 4 > text.length()) {
            throw error("has an escape that is not known");
        }
        int code = 0;
        for (int end = at + 4; at < end; at++) {
            char c4 = text.charAt(at);
            int digit = c4 < 128 ? Character.digit(c4, 16) : -1;
            if (digit < 0) {
                throw error("has an escape that is not hexadecimal");
            }
            code = code << 4 | digit;
        }
        return (char) code;
    }

    private Object word(String word, Object value) throws BundleException {
        if (!text.startsWith(word, at)) {
            throw error("has something that is no value");
        }
        at += word.length();
        return value;
    }

    private Object number() throws BundleException {
        int begin = at;
        take('-');
        boolean whole = true;
        if (!take('0')) {
            digits();
        }
        if (take('.')) {
            whole = false;
            digits();
        }
        if (take('e') || take('E')) {
            whole = false;
            if (!take('+')) {
                take('-');
            }
            digits();
        }
        String digits = text.substring(begin, at);
        if (whole && digits.length() < 19) {
            return Long.valueOf(digits);
        }
        Double value = Double.valueOf(digits);
        if (value.isInfinite()) {
            at = begin;
            throw error("has a number that is too large");
        }
        return value;
    }

    private void digits() throws BundleException {
        int begin = at;
        while (peek() >= '0' && peek() <= '9') {
            at++;
        }
        if (at == begin) {
            throw error("has something that is no value");
        }
    }

    /** The next character; 0 at the end, which nothing accepts. */
    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private boolean take(char c) {
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private void skipSpace() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private BundleException error(String problem) {
        int end = Math.min(at, text.length());
        int line = 1;
        for (int i = 0; i < end; i++) {
            line += text.charAt(i) == '\n' ? 1 : 0;
        }
        return new BundleException(
                Fault.CONTENT, what,
                what + " is not valid JSON: line " + line + ", character " + (end - text.lastIndexOf('\n', end - 1))
                        + ": it " + problem + ".",
                "The file is damaged; copy the bundle again.");
    }

    /** Quotes a text for a message, cut to a bearable length. */
    static String quoted(String text) {
        return '"' + (text.length() > 60 ? text.substring(0, 60) + "..." : text) + '"';
    }
}
