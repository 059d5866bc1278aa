"""The pipeline, one short module a DVC stage: read, check, call `eifer`, check, write."""
