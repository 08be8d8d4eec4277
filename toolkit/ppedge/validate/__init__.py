"""Metrics, parity between engines, and gates."""
