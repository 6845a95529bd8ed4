"""The pages: the routes for people, with their templates and what these load."""
