"""Tables checked by Great Expectations, from the promises written in `eifer.tables`.

Contexts are ephemeral: a file context shared by processes loses entries or
crashes. The results keep no time and no run id, because they are DVC outputs.
"""

from __future__ import annotations

import html
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

# Read when the package is imported, which is why this stands above the import.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.execution_engine import ExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.renderer.renderer import renderer
from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import pass_context

from eifer.errors import ContractError, examples
from eifer.tables.schema import Column, Table

logging.getLogger("great_expectations").setLevel(logging.WARNING)

_RULES: dict[str, Callable[[], pd.DataFrame]] = {}
"""What breaks each rule of the check under way: an expectation holds plain values, so it names one.
"""
TEMPLATE = Path(__file__).with_name("data_docs.html")
"""Of a page: Great Expectations' own loads styles and scripts from other hosts."""
ROWS = 50
"""Rows that break a promise, as a page shows them."""


class ExpectRuleToHold(BatchExpectation):
    """Expect a rule between rows, columns or tables to hold for every row."""

    rule: str
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count",)
    success_keys: ClassVar[tuple[str, ...]] = ("rule",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine | None = None,
    ) -> dict[str, Any]:
        broken, count = _RULES[self.rule](), metrics["table.row_count"]
        return {
            "success": broken.empty,
            "result": {
                "element_count": count,
                "unexpected_percent": 100 * len(broken) / count if count else None,
                "unexpected_count": len(broken),
                "unexpected_index_list": list(broken.index),
            },
        }

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(
        cls,
        configuration: Any = None,
        result: Any = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent]:
        """The rule in its own words."""
        says = (configuration or result.expectation_config).description
        return [RenderedStringTemplateContent({"template": "$says", "params": {"says": says}})]


Check = dict[str, Any]
"""One expectation and its outcome: expectation, column, success, n_unexpected and, failed, more."""


@dataclass
class Checked:
    """The last check of a table in an execution: its parts are checked one by one.

    ``outcome`` is what Great Expectations says, ``broken`` each broken promise with its rows, and
    ``times`` how often the table was checked. All checks before the last one passed.
    """

    table: Table
    outcome: Any
    times: int
    broken: list[tuple[str, pd.DataFrame]] = field(default_factory=list)


def check(
    table: Table,
    frame: pd.DataFrame,
    others: Mapping[str, pd.DataFrame] | None = None,
    checked: dict[str, Checked] | None = None,
) -> list[Check]:
    """Check a table against its promises.

    Rules that need tables not in ``others`` are left to the stage that has them. What a page of
    the table needs goes to ``checked``, by the table's name.

    Raises
    ------
    ContractError
        If any promise is broken: all of them, each with rows, reason and remedy.
    """
    others = others or {}
    try:
        conformed = table.conform(frame)
    except (ValueError, TypeError) as error:
        raise ContractError(
            f"{error}\n    -> the stage that wrote {table.name} must be mended"
        ) from error
    promises = list(_promises(table, others))
    _RULES.clear()
    _RULES.update({rule.name: partial(rule.broken, conformed, others) for rule in table.rules})
    outcome = _validate(table, conformed, [expectation for expectation, _, _ in promises])
    before = checked.get(table.name) if checked else None
    now = Checked(table, outcome, times=before.times + 1 if before else 1)
    if checked is not None:
        checked[table.name] = now
    checks = []
    for (expectation, about, advice), result in zip(promises, outcome.results, strict=True):
        rows = result.result.get("unexpected_index_list") or []
        count = result.result.get("unexpected_count", len(rows))
        name = expectation.rule if isinstance(expectation, ExpectRuleToHold) else about
        checks.append(
            {
                "table": table.name,
                "about": name,
                "expectation": result.expectation_config.type,
                "success": bool(result.success),
                "n_unexpected": int(count or 0),
            }
        )
        if not result.success:
            said = _failure(table, conformed, about, advice, rows, count, result)
            # No pictures.
            shown = [column.name for column in table.columns if column.kind != "bytes"]
            now.broken.append((said, conformed.loc[rows[:ROWS], shown]))
    if failures := [said for said, _ in now.broken]:
        raise ContractError("\n".join([f"{table.name}: {len(failures)} checks failed", *failures]))
    return checks


def page(checked: Checked, instance: str, finished: str, record: str) -> str:
    """The page of a table's checks, as HTML that needs nothing from elsewhere.

    Of Great Expectations' Data Docs it has all but the frame, which links to a site.
    """
    document = ValidationResultsPageRenderer().render(checked.outcome)
    overview = document.sections[0]
    overview.content_blocks = overview.content_blocks[1:2]  # the others lead to what is not there
    about = {"instance": instance, "finished": finished, "record": record}
    return str(_view().render(document, TEMPLATE.name, checked=checked, **about))


class _View(DefaultJinjaPageView):
    """Theirs takes the values of a table for HTML."""

    @pass_context
    def render_content_block(self, context: Any, block: Any, *args: Any, **named: Any) -> Any:
        """A part of the page as HTML, plain text escaped."""
        if isinstance(block, str):
            return html.escape(block)
        return super().render_content_block(context, block, *args, **named)


@cache
def _view() -> _View:
    return _View(custom_views_directory=str(TEMPLATE.parent))


def _promises(table: Table, others: Mapping[str, pd.DataFrame]) -> Iterator[tuple[Any, str, str]]:
    """Each expectation of a table with what it is about and what to do when it fails."""
    yield gxe.ExpectTableColumnsToMatchOrderedList(column_list=table.names), "columns", ""
    if not table.may_be_empty:
        yield gxe.ExpectTableRowCountToBeBetween(min_value=1), "at least one row", ""
    if table.key:
        key = list(table.key)
        about = f"one row for each {', '.join(key)}"
        unique = (
            gxe.ExpectColumnValuesToBeUnique(column=key[0])
            if len(key) == 1
            else gxe.ExpectCompoundColumnsToBeUnique(column_list=key)
        )
        yield unique, about, "remove the duplicate rows at their source"
    for column in (column for column in table.columns if column.checked):
        advice = " ".join(filter(None, [column.why, column.remedy]))
        for expectation, promise in _column_promises(column):
            yield expectation, f"{column.name} {promise}", advice
    for rule in table.rules:
        if all(name in others for name in rule.needs):
            expectation = ExpectRuleToHold(rule=rule.name, description=rule.says)
            yield expectation, rule.says, f"{rule.why} {rule.remedy}".strip()


def _column_promises(column: Column) -> Iterator[tuple[Any, str]]:
    if not column.missing:
        yield gxe.ExpectColumnValuesToNotBeNull(column=column.name), "is never missing"
    if column.values:
        values = list(column.values)
        yield (
            gxe.ExpectColumnValuesToBeInSet(column=column.name, value_set=values),
            f"is one of {values}",
        )
    if column.low is not None or column.high is not None:
        between = gxe.ExpectColumnValuesToBeBetween(
            column=column.name, min_value=column.low, max_value=column.high
        )
        unit = f" {column.unit}" if column.unit else ""
        yield between, f"lies in [{column.low}, {column.high}]{unit}"


def _validate(table: Table, frame: pd.DataFrame, expectations: list[Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(
            globally=False, metric_calculations=False
        )
        batch = (
            context.data_sources.add_pandas("memory")
            .add_dataframe_asset(table.name)
            .add_batch_definition_whole_dataframe("whole")
            .get_batch({"dataframe": frame})
        )
        suite = gx.ExpectationSuite(name=table.name, expectations=expectations)
        outcome = batch.validate(suite, result_format="BASIC")
        if not outcome.success:  # to list the rows takes half as long again
            outcome = batch.validate(suite, result_format="COMPLETE")
    # Results come back grouped by metric, so they are put into the suite's order again.
    by_config = {_identity(result.expectation_config): result for result in outcome.results}
    outcome.results = [by_config[_identity(each.configuration)] for each in expectations]
    return outcome


def _identity(configuration: Any) -> str:
    kwargs = {name: value for name, value in configuration.kwargs.items() if name != "batch_id"}
    return f"{configuration.type} {sorted(kwargs.items())}"


def _failure(
    table: Table,
    frame: pd.DataFrame,
    about: str,
    advice: str,
    rows: list[int],
    count: int | None,
    result: Any,
) -> str:
    info = result.exception_info or {}
    arrow = f"\n    -> {advice}" * bool(advice)
    raised = info.get("exception_message") or next(
        (part.get("exception_message") for part in info.values() if isinstance(part, dict)), None
    )
    if raised:
        return f"  {about}: could not be checked: {raised}"
    if not rows:
        return f"  {about}: not so (observed {result.result.get('observed_value')}){arrow}"
    column = result.expectation_config.kwargs.get("column")
    shown = list(dict.fromkeys([*table.key, *([column] if column else [])]))
    places = [
        " ".join(f"{name}={value}" for name, value in zip(shown, values, strict=True))
        for values in frame.loc[rows, shown].itertuples(index=False)
    ]
    return f"  {about}: {count} of {len(frame)} rows break this: {examples(places)}{arrow}"
