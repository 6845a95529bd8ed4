"""The services: what the system can do, without the name of a vendor."""
