"""A made-up cohort and a made-up corpus of faces, with everything planted known."""
