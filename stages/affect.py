"""The network that estimates arousal and valence from a face."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eifer.affect.corpus import LOST, align_corpus, open_corpus
from eifer.faces.crops import align_image
from eifer.tables.attrition import ATTRITION
from stages import catalogue
from stages._runtime.checkpoints import checkpoints
from stages._runtime.stage import Outcome, Report, Run, stage


@stage(
    catalogue.AFFECT,
    params=("study.seed", "study.crop", "arithmetic", "extract", "affect"),
    given=(catalogue.ORIGIN,),
)
def affect(run: Run) -> Outcome:
    """Train the network on a corpus of faces, or take given weights whose hash is known."""
    # Here and below, so that `--help` and errors in params need not wait for torch.
    from eifer.affect.training import card_markdown
    from eifer.training.weights import save_weights

    history: list[dict[str, Any]] = []
    left_out = ATTRITION.empty()
    if run.params.affect.sha256 is None:
        state, card, history, left_out = _trained(run)
    else:
        state, card = _given(run)
    save_weights(run.out(catalogue.WEIGHTS), state, card)
    run.out(catalogue.CARD_PAGE).write_text(card_markdown(card))
    return Outcome(
        {
            catalogue.WEIGHTS: None,
            catalogue.CARD: card,
            catalogue.CARD_PAGE: None,
            catalogue.HISTORY: history,
            catalogue.AFFECT_ATTRITION: left_out,
        },
        Report(
            f"""The affect network was {run.params.affect.backbone} [@wightman2019]
            at {run.params.study.crop.size_px} pixels, {card["made"]}.""",
            {"validation": card["validation"], "images": card["images"]},
        ),
    )


def _trained(run: Run) -> tuple[Any, dict[str, Any], list[dict[str, Any]], pd.DataFrame]:
    from eifer.affect import training
    from eifer.training.weights import load_weights

    params, recipe = run.params.affect, run.params.affect.training
    px = run.params.study.crop.size_px
    spec = params.network(px)
    align = partial(align_image, spec=run.params.study.crop, faces=run.params.extract)
    corpus = open_corpus(run.path(catalogue.ORIGIN))
    data = partial(training.affect_data, share=recipe.validation_share, size_px=px, seed=run.seed())
    # Here too: cutting the faces of a large corpus takes hours.
    known = corpus.annotations
    targets = known[["arousal", "valence"]].to_numpy(np.float32)
    items, people = (known[name].astype(str).tolist() for name in ("image_id", "identity"))
    early = data(items, people, targets)
    early.check("affect", training.affect_description(spec, recipe), training.REMEDY)
    each = partial(run.each, label="affect", named=lambda _: "an image", lost=lambda _: LOST)
    faces = align_corpus(corpus, align, px, scratch=run.folder, each=each)
    initial = params.initial and load_weights(Path(params.initial.path), params.initial.sha256)
    trained = training.train_affect(
        data(faces.items, faces.identities, faces.targets, images=faces.images),
        spec,
        recipe,
        seed=run.seed(),
        initial=initial,
        hardware=run.params.arithmetic.hardware(run.machine.hold),
        checkpoint=checkpoints(run) / "affect.pt",
    )
    card = training.model_card(
        trained,
        spec,
        recipe,
        corpus={"origin": params.origin, "images": len(faces.identities)},
        licence=params.licence,
        initial=params.initial.sha256 if params.initial else "random",
    )
    return trained.state, card, trained.history, faces.left_out


def _given(run: Run) -> tuple[Any, dict[str, Any]]:
    from eifer.affect.estimator import Estimator
    from eifer.affect.training import given_card
    from eifer.training.weights import load_weights

    params = run.params.affect
    spec = params.network(run.params.study.crop.size_px)
    estimator = Estimator(load_weights(run.path(catalogue.ORIGIN), params.sha256), spec)
    estimator.refuse_constant(f"weights {params.origin}")
    card = given_card(spec, origin=params.origin, sha256=params.sha256, licence=params.licence)
    return estimator.network.state_dict(), card


if __name__ == "__main__":
    affect.main()
