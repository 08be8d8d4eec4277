"""Inference programs of Paddle, read, rewritten and written again."""
