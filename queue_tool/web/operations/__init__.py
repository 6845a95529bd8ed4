"""The routes for programs, one module per group of routes."""
