"""What may happen next: one module an act or a family of acts, and the one table of all of them by wire name."""
