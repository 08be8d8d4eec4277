"""Slimming by what an ARM core executes: exact rewrites, least squares, and the search within a budget."""
