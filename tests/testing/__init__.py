"""Tests of what users test their task types with."""
