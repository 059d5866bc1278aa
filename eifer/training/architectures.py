"""Layers of this project's own, on timm's backbones or on pixels, as Keras has them.

The networks of section 6 of the protocol of expressions. Their last dense layer is the head that
`Network` adds.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from eifer.training.backbones import from_timm
from eifer.training.spec import LayeredSpec

BLOCKS = ((64, 3), (128, 5), (512, 3), (512, 3))
"""Filters, and the side of each."""
DENSE = (256, 512)
ATTENTION_DENSE = (512, 256)
EPS = 1e-3
"""Of normalisation in Keras."""


class Cnn48(nn.Module):
    """Four blocks of convolution, normalisation, ReLU, pooling and dropout, then dense layers.

    4 478 727 parameters for grey pictures with a head of seven (4 479 879 for 3 channels), of which
    3 968 are running statistics.
    """

    def __init__(self, spec: LayeredSpec) -> None:
        super().__init__()
        self.channels = 1 if spec.colours == "grey" else 3
        filters = [self.channels, *(scaled(n, spec.width) for n, _ in BLOCKS)]
        layers: list[nn.Module] = []
        for (before, after), (_, side) in zip(pairwise(filters), BLOCKS, strict=True):
            layers += [
                nn.Conv2d(before, after, side, padding="same"),
                nn.BatchNorm2d(after, EPS, spec.norm_momentum),
                # ReLU and the largest of four may change places, and a quarter is faster.
                nn.MaxPool2d(2),
                nn.ReLU(),
                nn.Dropout(spec.block_dropout),
            ]
        self.blocks = nn.Sequential(*layers)
        left = spec.size_px // 2 ** len(BLOCKS)
        widths = [filters[-1] * left * left, *(scaled(n, spec.width) for n in DENSE)]
        self.dense = dense(widths, spec.dropout, spec.norm_momentum)
        self.width = widths[-1]
        self.apply(as_keras)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[N, width]``; grey pictures have three equal channels."""
        features: Tensor = self.dense(self.blocks(images[:, : self.channels]).flatten(1))
        return features


class Flat(nn.Module):
    """A backbone's features, flattened, under dense layers: ``base`` and ``dense``.

    With a head of seven 16 194 823 parameters lie on EfficientNet-B0 or MobileNetV2 at 224 px.
    """

    def __init__(self, spec: LayeredSpec) -> None:
        super().__init__()
        self.base, width = from_timm(spec.backbone)
        side = -(-spec.size_px // self.base.feature_info[-1]["reduction"])
        widths = [width * side * side, *DENSE]
        self.dense = dense(widths, spec.dropout, spec.norm_momentum)
        self.width = widths[-1]
        self.dense.apply(as_keras)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[N, width]``."""
        features: Tensor = self.dense(self.base.forward_features(images).flatten(1))
        return features


class Attention(nn.Module):
    """A backbone's features times the sigmoid of their own 1 x 1 map, pooled, under dense layers.

    With a head of seven on EfficientNet-B0 6 483 363 parameters, of which 44 576 are running
    statistics. S3 prints 7 more of each: Keras counts the mean, variance and number of its layer
    that normalises pictures.
    """

    def __init__(self, spec: LayeredSpec) -> None:
        super().__init__()
        self.base, width = from_timm(spec.backbone)
        self.map = nn.Conv2d(width, width, 1)
        self.norm = nn.BatchNorm1d(width, EPS, spec.norm_momentum)
        layers: list[nn.Module] = []
        for before, after in pairwise((width, *ATTENTION_DENSE)):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(spec.dropout)]
        self.dense = nn.Sequential(*layers)
        self.width = ATTENTION_DENSE[-1]
        for part in (self.map, self.dense):
            part.apply(as_keras)
        for module in self.base.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = EPS, spec.norm_momentum

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[N, width]``."""
        features = self.base.forward_features(images)
        attended = features * torch.sigmoid(self.map(features))
        pooled: Tensor = self.dense(self.norm(attended.mean((2, 3))))
        return pooled


def build(spec: LayeredSpec) -> tuple[nn.Module, int]:
    """The network of ``spec`` without its head, and how many features it gives."""
    kinds: dict[str, type[Cnn48 | Flat | Attention]] = {
        "cnn48": Cnn48,
        "flat": Flat,
        "attention": Attention,
    }
    network = kinds[spec.top](spec)
    return network, network.width


def dense(widths: list[int], dropout: float, norm_momentum: float) -> nn.Sequential:
    """Dense layers of these widths, each with normalisation, ReLU and dropout."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [
            nn.Linear(before, after),
            nn.BatchNorm1d(after, EPS, norm_momentum),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers)


def as_keras(module: nn.Module) -> None:
    """Draw weights uniformly as Glorot and Bengio (2010) do, biases 0."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def scaled(n: int, width: float) -> int:
    """At least one filter or unit."""
    return max(1, round(n * width))
