"""Execution: calls a task's function in a thread, on an event loop or in a process, and finds the user's functions."""
