"""From an ECG to heart rate variability: beats, whether the recording may be trusted, variables."""
