"""Tests of the host layer, with real processes, logs, files and an embedded Valkey."""
