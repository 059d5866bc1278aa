"""Labelled face images of several corpora: reading, copies, division, labels, evaluation."""
