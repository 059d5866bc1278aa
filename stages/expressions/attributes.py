"""Gender and age, where a corpus does not say them."""

from __future__ import annotations

from functools import partial

from eifer.corpora.attributes import with_attributes
from eifer.corpora.stored import in_order
from eifer.tables.expressions import ATTRIBUTES, UNKNOWN
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.ATTRIBUTES,
    params=("attributes",),
    given=(catalogue.IMAGES, catalogue.PICTURES),
)
def attributes(run: Run) -> Outcome:
    """Fill in what params allow to be predicted; ethnicity never is."""
    pictures = partial(in_order, run.paths(catalogue.PICTURES), scratch=run.folder)
    images = run.read(catalogue.IMAGES)
    images = with_attributes(images, pictures, run.params.attributes)
    known = {name: int((images[name] != UNKNOWN).sum()) for name in ATTRIBUTES}
    listed = ", ".join(f"{name} of {n}" for name, n in known.items())
    predicted = """, and else predicted gender and age (dlib's networks; ages vary by 9.5 years
        within a person). No ethnicity was predicted"""
    return Outcome(
        {catalogue.DESCRIBED: images},
        Report(
            f"""Gender, age and ethnicity are those that a corpus
            states{predicted * run.params.attributes.predict}.""",
            {"known": known, "predicted": run.params.attributes.predict},
            f"Of {len(images)} images is known: {listed}.",
        ),
    )


if __name__ == "__main__":
    attributes.main()
