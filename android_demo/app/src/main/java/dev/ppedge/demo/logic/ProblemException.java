package dev.ppedge.demo.logic;

import dev.ppedge.core.BundleException;
import dev.ppedge.core.Fault;

/** A {@link Problem} with what is known about it. */
public final class ProblemException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Which. */
    public final Problem problem;

    /** Of a bundle, a picture or a network's output: what kind of fault; null for other problems. */
    public final Fault fault;

    /** Where that fault is: a file, keys, a size; empty for other problems. */
    public final String where;

    /**
     * @param problem which
     * @param detail a file, a number, a sentence from below; may be empty
     */
    public ProblemException(Problem problem, String detail) {
        this(problem, detail, null);
    }

    /**
     * @param problem which
     * @param detail a file, a number, a sentence from below; may be empty
     * @param cause what was thrown below; may be null
     */
    public ProblemException(Problem problem, String detail, Throwable cause) {
        super(detail, cause);
        this.problem = problem;
        fault = null;
        where = "";
    }

    /** A problem that the core found; its sentences are the detail. */
    public ProblemException(BundleException error) {
        super((error.getMessage() + " " + error.hint()).trim(), error);
        problem = Problem.of(error.fault());
        fault = error.fault();
        where = error.where();
    }
}
