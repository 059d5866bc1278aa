"""Every table that crosses a stage: one module a noun, each column with its unit, range and reason.

The package's own file imports nothing, so that a stage depends on the tables it
uses and not on every table there is (docs/decisions/0002).
"""
