"""What is true: events, files, refusals and rules of custody, pure from the first line to the last."""
