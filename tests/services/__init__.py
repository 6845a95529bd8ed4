"""Tests of the services, on a real store and a real broker."""
