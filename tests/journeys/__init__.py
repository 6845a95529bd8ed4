"""Tests of whole systems with real processes."""
