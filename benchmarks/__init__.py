"""What `make bench` measures: ratios against bare loops, within one run."""
