"""Benchmarks: this service beside its peers, in the same run on the same machine. Nothing here is asserted."""
