"""Tests of the routes and pages, one file for each group of operations."""
