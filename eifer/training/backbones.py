"""The backbones a study may name: one card each, and the only place to add another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eifer.errors import AssetError, did_you_mean
from eifer.training.spec import LayeredSpec, NetworkSpec

Rgb = tuple[float, float, float]

IMAGENET_MEAN: Rgb = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """What must be known of a backbone.

    ``name`` is timm's; ``source`` says where its pretrained weights come from and ``licence``
    under what terms (the hash of what a study is given stands in its params.yaml). ``mean`` and
    ``std`` normalise RGB in [0, 1] as this study feeds it. ``blocks`` are its modules from the
    output down, all that learn: what is unfrozen step by step. Without any it cannot be.
    """

    name: str
    source: str
    licence: str
    mean: Rgb = IMAGENET_MEAN
    std: Rgb = IMAGENET_STD
    blocks: tuple[tuple[str, ...], ...] = ()

    @property
    def short(self) -> str:
        """The name as folders have it."""
        return self.name.replace("_", "")

    def at(self, size_px: int) -> NetworkSpec:
        """The backbone as it reads crops of this side."""
        return NetworkSpec(self.name, size_px, self.mean, self.std)


RESNET = (("layer4",), ("layer3",), ("layer2",), ("layer1", "bn1", "conv1"))

BACKBONES: dict[str, Backbone] = {
    card.name: card
    for card in (
        Backbone(
            "tf_efficientnetv2_l",
            "trained on AffectNet by the affect stage, or given there (the paper's network; 3.3)",
            "code Apache-2.0; weights: those of affect.licence",
        ),
        Backbone(
            "resnet50",
            "ImageNet-1k, torchvision's resnet50-0676ba61.pth (timm: tv_in1k), given as a file",
            "code Apache-2.0; weights BSD-3-Clause (torchvision), ImageNet for research",
            blocks=RESNET,
        ),
        Backbone(
            "vgg16",
            "ImageNet-1k, timm/vgg16.tv_in1k on the Hugging Face hub, given as a file",
            "code Apache-2.0; weights BSD-3-Clause (torchvision), ImageNet for research",
            # Its five runs of convolutions, under the two connected layers.
            blocks=(
                ("pre_logits",),
                ("features.28", "features.26", "features.24"),
                ("features.21", "features.19", "features.17"),
                ("features.14", "features.12", "features.10"),
                ("features.7", "features.5", "features.2", "features.0"),
            ),
        ),
        Backbone(
            "efficientnet_b0",
            "ImageNet-1k, timm/efficientnet_b0.ra_in1k on the Hugging Face hub, given as a file",
            "Apache-2.0 (timm), ImageNet for research",
        ),
        Backbone(
            "tf_efficientnet_b0",
            "ImageNet-1k, timm/tf_efficientnet_b0.in1k on the Hugging Face hub, given as a file; "
            "the network that Keras has, its padding included",
            "Apache-2.0 (timm), ImageNet for research",
        ),
        Backbone(
            "mobilenetv2_100",
            "ImageNet-1k, timm/mobilenetv2_100.ra_in1k on the Hugging Face hub, given as a file",
            "Apache-2.0 (timm), ImageNet for research",
        ),
        Backbone(
            "test_efficientnet",
            "none: the demo's affect stage trains it from random numbers",
            "Apache-2.0 (timm)",
        ),
        Backbone(
            "test_resnet",
            "none: random numbers, to try the external check with",
            "Apache-2.0 (timm)",
            blocks=RESNET,
        ),
    )
}


def backbone_card(name: str) -> Backbone:
    """The card of the backbone called ``name``.

    Raises
    ------
    AssetError
        If none is registered under that name.
    """
    if name not in BACKBONES:
        raise AssetError(
            f"no backbone {name!r} is registered{did_you_mean(name, BACKBONES)}. "
            f"Known: {', '.join(BACKBONES)}; another takes a card in eifer/training/backbones.py."
        )
    return BACKBONES[name]


def unfreezable() -> dict[str, Backbone]:
    """The cards of backbones that can be unfrozen step by step, by their short names."""
    return {card.short: card for card in BACKBONES.values() if card.blocks}


def build_backbone(spec: NetworkSpec) -> tuple[Any, int]:
    """The backbone of ``spec`` with random weights and no classifier, and its width.

    That is timm's of that name, or what `architectures` makes of it.

    Nothing is fetched. Inside ``torch.device("meta")`` no weight takes memory.

    Raises
    ------
    AssetError
        If timm has no backbone of that name.
    """
    if isinstance(spec, LayeredSpec):
        from eifer.training.architectures import build

        return build(spec)
    return from_timm(spec.backbone)


def from_timm(name: str) -> tuple[Any, int]:
    """As `build_backbone`, by timm's name."""
    import timm

    if name not in timm.list_models():
        raise AssetError(
            f"timm has no backbone {name!r}{did_you_mean(name, timm.list_models())}. "
            "timm.list_models() lists the names; name one in the params."
        )
    module = timm.create_model(name, pretrained=False, num_classes=0)
    # Some backbones (VGG, MobileNetV3) widen their features once more after pooling.
    return module, getattr(module, "head_hidden_size", None) or module.num_features


def classifier_names(backbone: Any) -> tuple[str, ...]:
    """Give the beginnings of the names that timm's own classifier has in this backbone's files."""
    names = backbone.pretrained_cfg.get("classifier") or ()
    return tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
