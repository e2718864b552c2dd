"""Audit: is the record whole, do the laws of custody and money hold on it, and do the views say what it says."""
