"""One suite per seam, on each of its implementations."""
