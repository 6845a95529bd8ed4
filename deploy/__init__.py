"""Files for those who run the system, and the check of the containers."""
