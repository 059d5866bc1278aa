"""The pipeline: one short module a DVC stage, reading, checking, calling `eifer`, checking, writing."""
