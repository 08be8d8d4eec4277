"""Whatever runs a model, behind one protocol."""
