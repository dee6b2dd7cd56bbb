"""Records of the package: frozen data classes, how they become JSON, and how chunks become text."""
