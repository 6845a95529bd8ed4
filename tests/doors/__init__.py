"""The routes and commands, one file for each group."""
