"""The network that estimates arousal and valence from a face."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.affect.corpus import align_corpus, open_corpus
from eifer.faces.crops import align_image
from eifer.tables.attrition import ATTRITION
from stages import catalogue
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
    from eifer.affect.weights import save_weights

    history: list[dict[str, float]] = []
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
            f"""Arousal and valence are estimated by {run.params.affect.backbone}
            at {run.params.study.crop.size_px} pixels, {card["made"]}.""",
            {"validation": card["validation"], "images": card["images"]},
        ),
    )


def _trained(run: Run) -> tuple[Any, dict[str, Any], list[dict[str, float]], pd.DataFrame]:
    from eifer.affect.training import model_card, parts, train
    from eifer.affect.weights import load_weights

    params = run.params.affect
    spec = params.network(run.params.study.crop.size_px)
    align = partial(align_image, spec=run.params.study.crop, faces=run.params.extract)
    corpus = open_corpus(run.path(catalogue.ORIGIN))
    # Here too: cutting the faces of a large corpus takes hours.
    parts(
        corpus.annotations[["arousal", "valence"]].to_numpy(),
        corpus.annotations["identity"].astype(str).tolist(),
        params.training.validation_share,
        seed=run.seed(),
    )
    faces = align_corpus(
        corpus, align, spec.size_px, scratch=run.folder, workers=run.machine.workers
    )
    initial = params.initial and load_weights(Path(params.initial.path), params.initial.sha256)
    trained = train(
        faces.images,
        faces.targets,
        faces.identities,
        spec,
        params.training,
        seed=run.seed(),
        initial=initial,
        device=run.params.arithmetic.device,
        precision=run.params.arithmetic.precision,
    )
    card = model_card(
        trained,
        spec,
        params.training,
        corpus={"origin": params.origin, "images": len(faces.identities)},
        licence=params.licence,
        initial=params.initial.sha256 if params.initial else "random",
    )
    return trained.state, card, trained.history, faces.left_out


def _given(run: Run) -> tuple[Any, dict[str, Any]]:
    from eifer.affect.estimator import Estimator
    from eifer.affect.training import given_card
    from eifer.affect.weights import load_weights

    params = run.params.affect
    spec = params.network(run.params.study.crop.size_px)
    estimator = Estimator(load_weights(run.path(catalogue.ORIGIN), params.sha256), spec)
    estimator.refuse_constant(f"weights {params.origin}")
    card = given_card(spec, origin=params.origin, sha256=params.sha256, licence=params.licence)
    return estimator.network.state_dict(), card


if __name__ == "__main__":
    affect.main()
