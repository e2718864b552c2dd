"""What runs until it is told to stop, and asking whether it is ready."""
