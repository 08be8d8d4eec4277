"""A network that somebody else has exported, brought into a run so that it can be slimmed."""
