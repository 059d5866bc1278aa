"""The planted tasks, made once; the classifier's trainings stand for the engine's."""

from __future__ import annotations

import pytest
import torch

from eifer.models.training import Trained
from eifer.training.data import TrainingData
from tests import planted


@pytest.fixture(scope="session")
def data() -> TrainingData:
    return planted.samples()


@pytest.fixture(scope="session")
def initial() -> dict[str, torch.Tensor]:
    return planted.initial()


@pytest.fixture(scope="session")
def trained() -> Trained:
    return planted.classifier()
