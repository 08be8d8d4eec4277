package dev.ppedge.demo.engine;

import dev.ppedge.demo.logic.Settings;

/** Loads the networks, so that the bundle's screen can say what runs. */
public final class AboutTask implements Engine.Task<BundleFacts> {
    private final Settings settings;

    /**
     * @param settings with which to load
     */
    public AboutTask(Settings settings) {
        this.settings = settings;
    }

    @Override
    public BundleFacts run(Engine engine, Job.Ticket<BundleFacts> ticket) throws Exception {
        return new BundleFacts(engine.models(settings));
    }
}
