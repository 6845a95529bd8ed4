"""A task's function, called: in a thread, on a loop, in a process; and where functions come from."""
