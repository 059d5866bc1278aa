"""The report: what the stages left, and the page that is put together from it."""
