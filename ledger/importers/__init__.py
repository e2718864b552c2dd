"""Registers of others, read through the same writer as everybody: one module a source."""
