"""Packs that say that nothing in the index answers: how often they are right."""
