"""Augmentation does what its numbers say, to each image apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from eifer.training.augmentation import Draws, Geometric, Mixup, Photometric, UpsideDown, blur
from eifer.training.spec import Geometry, Photometry

HOW = Photometric(Photometry(0.5, (0.8, 1.2), (0.1, 1.5)))
STILL = Geometry(flip=0, brightness=0, rotation_deg=0, shift=0, zoom=0)


def augment(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    return HOW(images, {}, draws)[0]


def moved(images: torch.Tensor, seed: int = 1, **changes: float) -> torch.Tensor:
    how = Geometric(replace(STILL, **changes))
    return how(images, {}, how.draw(len(images), np.random.default_rng(seed)))[0]


def pictures(n: int = 4, size: int = 24) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (n, 3, size, size))).float()


def only(n: int, *, gray: bool = False, brightness: float = 1.0, sigma: float = 0.0) -> Draws:
    return {
        "gray": np.full(n, gray),
        "brightness": np.full(n, brightness),
        "blur_sigma_px": np.full(n, sigma),
    }


def test_each_change_happens_with_its_probability_within_its_range() -> None:
    draws = HOW.draw(20_000, np.random.default_rng(0))
    changed = {
        "gray": draws["gray"],
        "brightness": draws["brightness"] != 1,
        "blur": draws["blur_sigma_px"] > 0,
    }
    assert {name: pytest.approx(0.5, abs=0.02) for name in changed} == {
        name: float(np.mean(flags)) for name, flags in changed.items()
    }
    # Independent of each other: all three in an eighth of the images.
    assert np.mean(np.all(list(changed.values()), axis=0)) == pytest.approx(1 / 8, abs=0.02)
    lit = draws["brightness"][changed["brightness"]]
    assert (lit.min(), lit.max()) == (pytest.approx(0.8, abs=0.01), pytest.approx(1.2, abs=0.01))
    sigma = draws["blur_sigma_px"][changed["blur"]]
    assert (sigma.min(), sigma.max()) == (
        pytest.approx(0.1, abs=0.01),
        pytest.approx(1.5, abs=0.01),
    )


def test_gray_has_three_equal_channels_of_the_luma() -> None:
    images = pictures()
    draws = only(4)
    draws["gray"][1] = True
    found = augment(images.clone(), draws)
    luma = 0.299 * images[1, 0] + 0.587 * images[1, 1] + 0.114 * images[1, 2]
    for channel in range(3):
        torch.testing.assert_close(found[1, channel], luma)
    assert torch.equal(found[[0, 2, 3]], images[[0, 2, 3]])


def test_brightness_multiplies_and_stays_a_picture() -> None:
    images = pictures()
    found = augment(images.clone(), only(4, brightness=1.2))
    torch.testing.assert_close(found, (images * 1.2).clamp(max=255))
    assert found.max() == 255


@pytest.mark.parametrize("sigma", [0.1, 0.7, 1.5])
def test_blur_is_scipy_s_gaussian(sigma: float) -> None:
    images = pictures()
    found = blur(images, np.full(4, sigma)).numpy()
    expected = ndimage.gaussian_filter(
        images.double().numpy(), (0, 0, sigma, sigma), mode="mirror", truncate=3.0
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_an_image_s_blur_does_not_depend_on_its_neighbours() -> None:
    images = pictures(2)
    together = blur(images, np.array([0.4, 1.5]))
    torch.testing.assert_close(together[:1], blur(images[:1], np.array([0.4])))


def test_blur_wider_than_the_picture_is_cut() -> None:
    assert blur(pictures(1, 4), np.array([5.0])).isfinite().all()


def test_a_part_of_a_batch_is_changed_as_in_the_whole() -> None:
    draws = HOW.draw(6, np.random.default_rng(3))
    whole = augment(pictures(6), draws)
    part = augment(pictures(6)[1::2].clone(), {n: v[1::2] for n, v in draws.items()})
    torch.testing.assert_close(part, whole[1::2])


def test_no_augmentation_changes_nothing_and_a_flip_is_a_mirror() -> None:
    images = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (3, 3, 16, 16))).float()
    same = moved(images)
    torch.testing.assert_close(same, images, atol=1e-2, rtol=0)
    mirrored = moved(images, flip=1.0)
    torch.testing.assert_close(mirrored, images.flip(-1), atol=1e-2, rtol=0)


def test_augmentation_stays_within_its_bounds() -> None:
    """A bright disc moves, grows and brightens by no more than the recipe says."""
    y, x = np.mgrid[:64, :64] - 31.5
    disc = np.where(np.hypot(y, x) < 12, 100.0, 0.0)
    images = torch.from_numpy(disc).float().expand(200, 3, 64, 64)
    shifted = moved(images, shift=0.1).numpy()[:, 0]
    centres = np.array([ndimage.center_of_mass(image) for image in shifted]) - 31.5
    assert 5 < np.abs(centres).max() < 6.4 + 0.1  # a tenth of 64 pixels
    zoomed = moved(images, zoom=0.2).numpy()[:, 0]
    radii = np.sqrt(zoomed.sum((1, 2)) / 100 / np.pi)
    assert 12 / 1.2 - 0.2 < radii.min() < 10.5
    assert 14 < radii.max() < 12 / 0.8 + 0.2
    lit = moved(images, brightness=0.2).numpy()
    assert 119 < lit.max() <= 120.01


def test_a_rotation_turns_without_stretching() -> None:
    y, x = np.mgrid[:65, :65] - 32.0
    bar = np.where((np.abs(y) < 3) & (np.abs(x) < 25), 100.0, 0.0)
    images = torch.from_numpy(bar).float().expand(50, 3, 65, 65)
    turned = moved(images, rotation_deg=20)[:, 0]
    angles = []
    for image in turned.numpy():
        weight = image / image.sum()
        cross = (weight * x * y).sum()
        along, across = (weight * x * x).sum(), (weight * y * y).sum()
        angles.append(0.5 * np.degrees(np.arctan2(2 * cross, along - across)))
        length = np.sqrt(6 * (along + across))  # of a thin bar: 12 times its variance is length^2
        assert length == pytest.approx(np.sqrt(6 * 25**2 * 4 / 12), rel=0.05)
    assert 17 < max(angles) <= 20.5
    assert -20.5 <= min(angles) < -17


def test_mixup_mixes_images_and_targets_by_one_share() -> None:
    images, mixup = pictures(), Mixup(0.4)
    draws = mixup.draw(4, np.random.default_rng(1))
    share = float(draws["share"][0])
    found, targets = mixup(images, {"class": torch.eye(4)}, draws)
    assert 0 < share < 1 and set(draws["share"]) == {share}
    torch.testing.assert_close(found[0], share * images[0] + (1 - share) * images[3])
    assert targets["class"][0].tolist() == pytest.approx([share, 0, 0, 1 - share])


def test_upside_down_turns_whole_pictures_and_no_other() -> None:
    images, change = pictures(), UpsideDown(0.5)
    turned = change.draw(len(images), np.random.default_rng(0))
    found, targets = change(images.clone(), {"head": images[:, 0, 0, 0]}, turned)
    for image, before, was in zip(found, images, turned["turned"], strict=True):
        assert torch.equal(image, before.flip(1) if was else before)
    assert torch.equal(targets["head"], images[:, 0, 0, 0])
    share = UpsideDown(0.25).draw(10_000, np.random.default_rng(0))["turned"].mean()
    assert 0.23 < share < 0.27
    assert 0 < turned["turned"].sum() < len(images)
