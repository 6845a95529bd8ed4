"""This machine: processes, logs, files and the embedded Valkey, all of them real."""
