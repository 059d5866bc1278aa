"""The raw cohort: reading its folder, and turning ratings into labels."""
