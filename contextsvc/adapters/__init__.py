"""Implementations of the ports; each module wraps one library."""
