"""Running instances on other machines: the coordinator here, and what a node does."""
