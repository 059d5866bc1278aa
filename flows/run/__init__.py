"""Running a study: its instances, what would run and why, and the walk that runs them here."""
