"""A shared backbone under linear heads, and its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from eifer.training.architectures import as_keras
from eifer.training.augmentation import LUMA
from eifer.training.backbones import build_backbone, classifier_names
from eifer.training.spec import Head, LayeredSpec, NetworkSpec
from eifer.training.weights import fit_state

_BACKBONE = "backbone."


class Network(nn.Module):
    """A timm backbone's pooled features, read by linear heads.

    Takes RGB ``[N, 3, S, S]`` in 0..255 and gives each head's outputs by its name: ``[N]`` of
    one output, else ``[N, outputs]``. Normalisation is part of the network, so that no caller
    can forget it.

    Raises
    ------
    AssetError
        If timm has no backbone of that name.
    """

    def __init__(self, spec: NetworkSpec, heads: Sequence[Head]) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.spec = spec
        self.backbone, width = build_backbone(spec)
        for head in heads:
            self.add_module(head.name, nn.Linear(width, head.outputs))
            if isinstance(spec, LayeredSpec):
                self.draw(head)
        # Not saved: they are the spec's. Spread over the picture, because three numbers along
        # the innermost axis, which channels_last makes of the channels, are four times slower.
        self.scale: Tensor
        self.shift: Tensor
        mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
        for name, values in (("scale", 1 / (255 * std)), ("shift", -mean / std)):
            spread = values.view(1, 3, 1, 1).expand(1, 3, spec.size_px, spec.size_px)
            spread = spread.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, spread, persistent=False)
        # Crops are stored with their channels innermost: this way they need not be turned round.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Every head's outputs for ``images``."""
        if isinstance(self.spec, LayeredSpec) and self.spec.colours != "rgb":
            images = _grey(images)
        features = self.backbone(torch.addcmul(self.shift, images, self.scale))
        return {head.name: self._read(head, features) for head in self.heads}

    def draw(self, head: Head) -> None:
        """Draw a head's weights anew, as torch does, or for this project's own layers as Keras."""
        layer = self.get_submodule(head.name)
        assert isinstance(layer, nn.Linear)
        if isinstance(self.spec, LayeredSpec):
            as_keras(layer)
        else:
            layer.reset_parameters()

    def width(self, head: str) -> int:
        """How many outputs that head has."""
        return next(known.outputs for known in self.heads if known.name == head)

    def _read(self, head: Head, features: Tensor) -> Tensor:
        outputs: Tensor = self.get_submodule(head.name)(features)
        outputs = outputs.squeeze(1) if head.outputs == 1 else outputs
        return torch.tanh(outputs) if head.bounded else outputs


def _grey(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    grey = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    whole = torch.stack([grey, grey, grey], 1)
    return whole.contiguous(memory_format=torch.channels_last)


def start_from(
    spec: NetworkSpec,
    heads: Sequence[Head],
    state: Mapping[str, Tensor] | None,
    *,
    carried: bool,
    seed: Callable[[str], int],
    origin: str,
) -> Network:
    """Build a network whose backbone has the weights in ``state`` and whose heads are the seed's.

    ``state`` is that of a whole network of this project (only its ``backbone.`` part, and with
    ``carried`` its heads of these names), or of a timm model, whose own classifier is left out.
    Without one everything is the seed's.

    Raises
    ------
    AssetError
        If timm has no such backbone, or the weights are another architecture's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed("network"))
        network = Network(spec, heads)
        if state is None:
            return network
        torch.manual_seed(seed("heads"))
        for head in heads:
            network.draw(head)
    ours = any(name.startswith(_BACKBONE) for name in state)
    # A file of timm's fits what lies under layers of our own.
    under = network.backbone if ours else getattr(network.backbone, "base", network.backbone)
    theirs = () if ours else classifier_names(under)
    backbone = {
        name.removeprefix(_BACKBONE): tensor
        for name, tensor in state.items()
        if (name.startswith(_BACKBONE) if ours else not name.startswith(theirs))
    }
    fit_state(under, backbone, f"{origin}, as the backbone {spec.backbone}")
    names = tuple(f"{head.name}." for head in heads)
    known = {name: t for name, t in state.items() if ours and name.startswith(names)}
    if carried and known:
        fit_state(network, {**network.state_dict(), **known}, f"{origin}, with its heads")
    return network
