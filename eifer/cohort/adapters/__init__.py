"""Published corpora in the cohort's layout: one module a corpus, and what they share."""
