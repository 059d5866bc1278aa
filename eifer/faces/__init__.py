"""Faces in videos: decoding, detection, landmarks, quality and crops.

The package's own file imports nothing, so that a stage depends on the parts it uses.
"""
