"""What goes wrong at a worker, and that nothing is lost by it and everything ends once."""
