"""Functions, called: in threads, on loops, in processes; and the built-in ones."""
