"""Named sub-seeds: the same on every machine, and independent of each other."""

from __future__ import annotations

import numpy as np

from eifer.seeding import generator, sub_seed


def test_a_sub_seed_never_changes() -> None:
    # Half of the first 8 bytes of sha256("7/split/test"); another rule would change every study.
    assert sub_seed(7, "split", "test") == 2786963106211594243
    assert sub_seed(7) == 4359823973405836615


def test_numbers_and_words_that_look_alike_are_alike() -> None:
    assert sub_seed(7, "run", 1) == sub_seed(7, "run", "1")


def test_every_purpose_has_its_own_seed_in_64_bits_with_sign() -> None:
    seeds = {sub_seed(seed, "sub", n) for seed in range(20) for n in range(200)}
    assert len(seeds) == 4000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert sub_seed(1, "a", "b") != sub_seed(1, "b", "a")


def test_generators_repeat_and_leave_numpys_own_state_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    first = generator(7, "split", "test").random(2)
    np.testing.assert_allclose(first, [0.314933277339734, 0.2681710322576222])
    np.testing.assert_array_equal(generator(7, "split", "test").random(2), first)
    assert not np.array_equal(generator(8, "split", "test").random(2), first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]
