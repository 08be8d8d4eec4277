"""Losses, optimizer, the training loop and its checkpoints."""
