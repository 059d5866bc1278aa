"""How a stage runs: its params, checks, pool, files and records. What it computes is in `eifer`."""
