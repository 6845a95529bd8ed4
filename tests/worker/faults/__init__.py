"""Tests of a worker under faults: no task is lost, and each task ends once."""
