"""Figures of the report, one file each: tables in, a figure and its caption out."""
