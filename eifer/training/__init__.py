"""One training engine: what a network is and how it learns are a description of it."""
