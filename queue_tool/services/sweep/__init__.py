"""The sweep: repairs differences between the store and Redis, and does what is due, again and again."""
