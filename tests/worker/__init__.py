"""Tests of the worker with real processes on a real Valkey."""
