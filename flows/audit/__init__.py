"""Whether a study still is what was recorded: a link each, from raw files to the report."""
