"""Pages in a real browser, and what pages of other sites can do there."""
