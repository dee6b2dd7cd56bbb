"""Records of the package: frozen data classes, their JSON, and the text they are rendered to."""
