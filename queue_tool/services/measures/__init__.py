"""Measures: each process adds up what its events tell, and anybody reads the sums of all processes."""
