"""The documents: their commands are run, their answers and tables compared with the program."""
