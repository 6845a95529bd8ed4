"""What becomes of the system when something that it stands on is gone, full or damaged."""
