"""Measuring: the same scores for training and validation."""
