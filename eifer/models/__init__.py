"""The study's classifiers: backbones, the two-head network, how it is trained and how it scores."""
