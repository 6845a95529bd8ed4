"""Tests of running a task's function in a thread, on a loop or in a process; and of the built-in task types."""
