"""Continuous arousal and valence from a face: the network, its weights, its training."""
