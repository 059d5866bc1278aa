"""The links in their order, and what came out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eifer.errors import StudyError, shortened
from flows.audit import again, expressions, hashes, surroundings, tracking
from flows.audit.study import Recorded, Verdict
from stages._runtime.kinds import EI, KINDS

LINKS: dict[str, Callable[[Recorded], Verdict]] = {
    "raw files": hashes.raw,
    "code and params": hashes.code_and_params,
    "outputs": hashes.outputs,
    "records": hashes.records,
    "scores": again.scores,
    "statistics": again.statistics,
    "data checks": again.checks,
    "partitions": again.partitions,
    "report": again.report,
    "MLflow": tracking.tracking,
    "environment": surroundings.environment,
    "commit": surroundings.commit,
}
"""From the recordings to the page, then what surrounds them."""
EXPRESSIONS = {
    "raw files": expressions.raw,
    "scores": expressions.scores,
    "statistics": expressions.statistics,
    "partitions": expressions.partitions,
}
"""Those that know the tables of the expressions study."""


def audited(study: Recorded, names: tuple[str, ...] = tuple(LINKS)) -> Iterator[Verdict]:
    """The verdict of each link, as soon as it is known; what cannot be read differs."""
    for name in names:
        try:
            ei = name not in EXPRESSIONS or study.kind is KINDS[EI]
            yield (LINKS if ei else EXPRESSIONS)[name](study)
        except StudyError as error:
            yield Verdict(name, places=[shortened(error)])
        except Exception as error:  # a table, JSON or YAML that is none any more
            yield Verdict(name, places=[f"cannot be read: {type(error).__name__}: {error}"])
