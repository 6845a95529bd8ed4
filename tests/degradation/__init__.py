"""Tests of the system when Redis, the database or the disk is unavailable, full or damaged."""
