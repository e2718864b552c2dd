"""What can be asked: one module a subject, each with its router."""
