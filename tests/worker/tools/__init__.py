"""The worker as RQ and RQ's tools see it, and what they may do to it."""
