"""Training, validation and test images, by whole groups of copies and people."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.division import LEFT_OUT, divide, lacking
from eifer.corpora.reading import added_up
from eifer.tables.attrition import images_left_out
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.SPLIT,
    params=("study.seed", "split"),
    given=(catalogue.IMAGES, catalogue.ATOMS, catalogue.EVALUATED),
)
def split(run: Run) -> Outcome:
    """Divide what the evaluator leaves."""
    spec, evaluator = run.params.split, run.read(catalogue.EVALUATED)
    chosen = evaluator.loc[~evaluator["drawn"], "image_id"]
    images, atoms = run.read(catalogue.IMAGES), run.read(catalogue.ATOMS)
    divided = divide(images, atoms, chosen, spec, run.seed())
    counts = divided["part"].value_counts().to_dict()
    parts = ", ".join(f"{str(part).replace('_', ' ')} {n}" for part, n in counts.items())
    how = {
        "drawn": f"""by chance into {1 - spec.validation_share - spec.test_share:.0%} to train on,
            {spec.validation_share:.0%} to validate on and {spec.test_share:.0%} to test, alike in
            every corpus and class""",
        "official": "as each corpus divides itself, and by chance where it does not",
    }[spec.mode]
    return Outcome(
        {catalogue.DIVISION: divided, catalogue.SPLIT_ATTRITION: _left_out(divided)},
        Report(
            f"""The images that are not in the evaluator were divided {how}. Copies of a picture
            and pictures of a person were never in two parts.""",
            {"parts": counts},
            f"""Images in each part: {parts}. {_lacking(lacking(divided))}""",
        ),
    )


def _left_out(division: pd.DataFrame) -> pd.DataFrame:
    parts = [
        images_left_out(
            str(corpus), {str(why): n for why, n in rows["reason"].value_counts().items()}
        )
        for corpus, rows in division[division["part"] == LEFT_OUT].groupby("corpus")
    ]
    return added_up(parts)


def _lacking(rows: pd.DataFrame) -> str:
    """What the scores of a corpus and part do not count."""
    if rows.empty:
        return ""
    listed = [
        f"{corpus}, {label} ({' and '.join(own['part'])})"
        for (corpus, label), own in rows.groupby(["corpus", "label"])
    ]
    return f"Too few for every part, so that a part has none: {'; '.join(listed)}."


if __name__ == "__main__":
    split.main()
