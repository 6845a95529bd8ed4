"""This machine: its processes, its data directory, and the ties between a process and its owner."""
