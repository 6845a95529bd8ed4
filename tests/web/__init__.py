"""The routes and pages, one file for each group."""
