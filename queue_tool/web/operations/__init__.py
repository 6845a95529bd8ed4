"""The operations: the routes for programs, one file for each group."""
