"""Necks, one file each."""
