"""Emotional intelligence: from answers to scores, a cutoff, and two groups."""
