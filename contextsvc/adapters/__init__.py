"""Adapters implement the ports. Each adapter module wraps one library."""
