"""This machine: its processes, its data directory, and how a process notices the end of its owner."""
