"""What takes minutes: `make soak` runs it, the suite does not."""
