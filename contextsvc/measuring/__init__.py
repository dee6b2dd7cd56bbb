"""Measure how much of a pack its answer used."""
