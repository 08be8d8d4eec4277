package dev.ppedge.demo.engine;

import java.util.List;

/** Looks up the names of the bundle's recognisers, the first first; none for a bundle with one. Loads nothing. */
public final class RecognizersTask implements Engine.Task<List<String>> {
    @Override
    public List<String> run(Engine engine, Job.Ticket<List<String>> ticket) throws Exception {
        return BundleStore.readManifest(engine.context()).names();
    }
}
