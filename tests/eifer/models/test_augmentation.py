"""Augmentation does what its numbers say, to each image apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from eifer.models.augmentation import Draws, augment, blur, draw
from eifer.models.spec import Augmentation

HOW = Augmentation(0.5, (0.8, 1.2), (0.1, 1.5))


def pictures(n: int = 4, size: int = 24) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (n, 3, size, size))).float()


def only(n: int, *, gray: bool = False, brightness: float = 1.0, sigma: float = 0.0) -> Draws:
    return Draws(np.full(n, gray), np.full(n, brightness), np.full(n, sigma))


def test_each_change_happens_with_its_probability_within_its_range() -> None:
    draws = draw(20_000, HOW, np.random.default_rng(0))
    changed = {
        "gray": draws.gray,
        "brightness": draws.brightness != 1,
        "blur": draws.blur_sigma_px > 0,
    }
    assert {name: pytest.approx(0.5, abs=0.02) for name in changed} == {
        name: float(np.mean(flags)) for name, flags in changed.items()
    }
    # Independent of each other: all three in an eighth of the images.
    assert np.mean(np.all(list(changed.values()), axis=0)) == pytest.approx(1 / 8, abs=0.02)
    lit = draws.brightness[changed["brightness"]]
    assert (lit.min(), lit.max()) == (pytest.approx(0.8, abs=0.01), pytest.approx(1.2, abs=0.01))
    sigma = draws.blur_sigma_px[changed["blur"]]
    assert (sigma.min(), sigma.max()) == (
        pytest.approx(0.1, abs=0.01),
        pytest.approx(1.5, abs=0.01),
    )


def test_nothing_drawn_changes_nothing() -> None:
    images = pictures()
    assert torch.equal(augment(images.clone(), only(4)), images)


def test_gray_has_three_equal_channels_of_the_luma() -> None:
    images = pictures()
    draws = only(4)
    draws.gray[1] = True
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
    draws = draw(6, HOW, np.random.default_rng(3))
    whole = augment(pictures(6), draws)
    part = augment(pictures(6)[1::2].clone(), draws.part(slice(1, None, 2)))
    torch.testing.assert_close(part, whole[1::2])
