"""The services: the use cases of the system, independent of any vendor's library."""
