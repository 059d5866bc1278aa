"""Harm at random moments, and whether the next run mends it."""
