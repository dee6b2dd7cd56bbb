"""What flows through the package: frozen records, their JSON, and the text they are rendered to."""
