"""The running of the study: workspaces, summaries and the command line."""
