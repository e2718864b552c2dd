"""What the events amount to for one subject: an immutable file each, and `evolve`, which raises nothing."""
