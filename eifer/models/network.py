"""The classifier: a shared backbone, one logit, one regression value; its loss and its start."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from eifer.affect.estimator import classifier_names
from eifer.affect.weights import fit_state
from eifer.models.backbones import backbone_card, build_backbone
from eifer.models.spec import Heads, NetworkSpec
from eifer.seeding import sub_seed

_BACKBONE = "backbone."
_HEADS = ("classifier.", "regressor.")


class TwoHeads(nn.Module):
    """A backbone's pooled features, read by two linear heads.

    Takes RGB ``[N, 3, S, S]`` in 0..255 and gives the logit of class 1 ``[N]`` and the
    regression value ``[N]``. Normalisation is part of the network, so that no caller can
    forget it.

    Raises
    ------
    AssetError
        If the backbone is not registered.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        card = backbone_card(spec.backbone)
        self.backbone, width = build_backbone(spec.backbone)
        self.classifier = nn.Linear(width, 1)
        self.regressor = nn.Linear(width, 1)
        # Not saved: they are the card's. Spread over the picture, because three numbers along
        # the innermost axis, which channels_last makes of the channels, are four times slower.
        self.scale: Tensor
        self.shift: Tensor
        mean, std = torch.tensor(card.mean), torch.tensor(card.std)
        for name, values in (("scale", 1 / (255 * std)), ("shift", -mean / std)):
            spread = values.view(1, 3, 1, 1).expand(1, 3, spec.size_px, spec.size_px)
            spread = spread.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, spread, persistent=False)
        # Crops are stored with their channels innermost: this way they need not be turned round.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and regression values of ``images``."""
        features = self.backbone(torch.addcmul(self.shift, images, self.scale))
        return self.classifier(features).squeeze(1), self.regressor(features).squeeze(1)

    def head_parameters(self) -> list[nn.Parameter]:
        """What is trained in both phases."""
        return [*self.classifier.parameters(), *self.regressor.parameters()]


def start_from(
    spec: NetworkSpec, state: Mapping[str, Tensor], *, heads: Heads, seed: int, origin: str
) -> TwoHeads:
    """Build a network whose backbone has the weights in ``state`` and whose heads are the seed's.

    ``state`` is that of a whole network of this project (the affect network or a classifier:
    only its ``backbone.`` part, and with ``heads="carried"`` a classifier's heads), or of a
    timm model, whose own classifier is left out.

    Raises
    ------
    AssetError
        If the backbone is not registered, or the weights are another architecture's.
    """
    with torch.random.fork_rng(devices=[]):
        network = TwoHeads(spec)
        torch.manual_seed(sub_seed(seed, "heads"))
        network.classifier.reset_parameters()
        network.regressor.reset_parameters()
    ours = any(name.startswith(_BACKBONE) for name in state)
    if ours:
        backbone = {
            name.removeprefix(_BACKBONE): tensor
            for name, tensor in state.items()
            if name.startswith(_BACKBONE)
        }
    else:
        theirs = classifier_names(network.backbone)
        backbone = {name: t for name, t in state.items() if not name.startswith(theirs)}
    fit_state(network.backbone, backbone, f"{origin}, as the backbone {spec.backbone}")
    carried = {name: t for name, t in state.items() if ours and name.startswith(_HEADS)}
    if heads == "carried" and carried:
        whole = {**network.state_dict(), **carried}
        fit_state(network, whole, f"{origin}, with its heads")
    return network


def losses(
    outputs: tuple[Tensor, Tensor], labels: Tensor, estimates: Tensor, *, pos_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """BCE on the labels (0 or 1) with weighted positives, and MSE on the estimates, each a mean.

    The loss is the first plus ``Recipe.regression_weight`` x the second (section 3.3).
    """
    logits, values = outputs[0].float(), outputs[1].float()
    bce = nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=pos_weight)
    return bce, nn.functional.mse_loss(values, estimates)
