"""The links in their order, and what came out of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

from eifer.errors import StudyError, shortened
from flows.audit import again, ei, expressions, hashes, surroundings, tracking
from flows.audit.route import Link
from flows.audit.study import Recorded, Verdict

OF_KIND: Mapping[str, ModuleType] = {"ei": ei, "expressions": expressions}
"""What knows the tables of each kind of study."""
SHARED: Mapping[str, Link] = {
    "code and params": hashes.code_and_params,
    "outputs": hashes.outputs,
    "records": hashes.records,
    "data checks": again.checks,
    "report": again.report,
    "MLflow": tracking.tracking,
    "environment": surroundings.environment,
    "commit": surroundings.commit,
}
LINKS = (
    *("raw files", "code and params", "outputs", "records", "scores", "statistics"),
    *("data checks", "partitions", "report", "MLflow", "environment", "commit"),
)
"""From the recordings to the page, then what surrounds them."""


def audited(study: Recorded, names: tuple[str, ...] = LINKS) -> Iterator[Verdict]:
    """The verdict of each link, as soon as it is known; what cannot be read differs."""
    for name in names:
        try:
            link = SHARED.get(name) or OF_KIND[study.protocol].LINKS[name]
            yield link(study)
        except StudyError as error:
            yield Verdict(name, places=[shortened(error)])
        except Exception as error:  # a table, JSON or YAML that is none any more
            yield Verdict(name, places=[f"cannot be read: {type(error).__name__}: {error}"])
