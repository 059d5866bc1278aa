"""Servers of this machine (Prefect, MLflow, a worker): started, found, asked, watched."""
