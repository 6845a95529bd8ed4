"""Doctor: looks at a system, running or not, and says what is wrong with it. It changes nothing."""
