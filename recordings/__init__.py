"""Recordings: files that belong to calls. What a call's record names today, this room will keep."""
