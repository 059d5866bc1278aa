"""The pipeline, one short module a DVC stage: read, check, call `eifer`, check, write."""

from stages._runtime.kernels import pin_kernels

# Here, because a stage's own module already imports NumPy.
pin_kernels()
