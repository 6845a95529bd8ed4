"""Benchmarks of this service and its peers, in one run on one machine. They measure and assert nothing."""
