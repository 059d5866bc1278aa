"""Copies of pictures, and what must never be divided."""

from __future__ import annotations

from functools import partial

from eifer.corpora.duplicates import find_copies
from eifer.corpora.stored import in_order
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.DUPLICATES,
    params=("duplicates",),
    given=(catalogue.IMAGES, catalogue.PICTURES),
)
def duplicates(run: Run) -> Outcome:
    """Compare the pictures of all corpora, and join copies and the pictures of a person."""
    spec, images = run.params.duplicates, run.read(catalogue.IMAGES)
    pictures = partial(in_order, run.paths(catalogue.PICTURES), scratch=run.folder)
    found = find_copies(images, pictures, spec, run.folder)
    copies = found[found["copies"].notna()]
    corpora = copies.groupby("copies")["corpus"].nunique()
    numbers = {
        "groups": int(copies["copies"].nunique()),
        "images": len(copies),
        "groups_across_corpora": int((corpora > 1).sum()),
        "contradicting_images": int(found["contradicts"].sum()),
        "atoms": int(found["atom"].nunique()),
    }
    return Outcome(
        {catalogue.ATOMS: found},
        Report(
            f"""Pictures were taken for copies of each other where their pixels are the same, or
            where the hashes of their lowest frequencies differ in at most {spec.bits} of 63 bits
            and their grey pictures correlate above {spec.correlation:g}, also once mirrored.
            Copies and pictures of one person stayed together in every division. Copies with
            contradicting labels were kept out of every evaluation.""",
            numbers,
            f"""{numbers["groups"]} groups of copies hold {numbers["images"]} of {len(found)}
            images; {numbers["groups_across_corpora"]} groups reach across corpora. Of
            {numbers["contradicting_images"]} images copies have another label.""",
        ),
    )


if __name__ == "__main__":
    duplicates.main()
