"""Unmixing methods: one file (or folder) per method, its name is the method's name."""
