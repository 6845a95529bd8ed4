"""The verbs, on a real store and a real broker."""
