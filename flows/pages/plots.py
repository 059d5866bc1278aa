"""The page that ``dvc plots`` fills, with Vega in it; DVC's own fetches Vega from a server."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

PAGE = "plots.html"
"""In .dvc, where git ignores it: the libraries are none of this repository."""
# The menu of a plot could else send its data to Vega's editor.
SNIPPET = """const actions = {export: true, source: false, compiled: false, editor: false};
window.vegaEmbed = (place, spec) => vegaEmbed(place, spec, {actions, renderer: "svg"});"""
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="vl-convert-python %s">
<title>dvc plots</title>
<style>body { display: flex; flex-wrap: wrap; gap: 1rem; font-family: sans-serif; }</style>
{refresh_tag}
<script>"""
TAIL = """</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def prepare(study: Path) -> None:
    """Write the page of ``dvc plots`` into a study's .dvc, and name it in DVC's local settings.

    What is there already stays: a page of the same Vega, another page that the settings name.
    Where they named one that is not there, DVC would fail, so that both are made together.
    """
    from dvc.config import Config  # type: ignore[import-untyped]

    page = study / ".dvc" / PAGE
    head = HEAD % version("vl-convert-python")
    if not page.is_file() or not page.read_text(encoding="utf-8").startswith(head):
        from vl_convert import javascript_bundle

        script = javascript_bundle(SNIPPET)
        page.write_text(head + script + TAIL, encoding="utf-8")
    config = Config(str(study / ".dvc"), validate=False)
    if "html_template" not in config.read("local").get("plots", {}):
        with config.edit("local") as settings:
            settings.setdefault("plots", {})["html_template"] = PAGE


if __name__ == "__main__":
    from flows.graph import ROOT

    prepare(ROOT)
