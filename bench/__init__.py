"""Measurements: each number beside its alternative, in the same run."""
