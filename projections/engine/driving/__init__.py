"""Driving the views: generations, following the log, setting events aside, rebuilding, and how it all stands."""
