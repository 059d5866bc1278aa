"""A study with every execution on record, as a Workflow Run RO-Crate with Croissant beside it."""
