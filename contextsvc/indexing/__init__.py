"""Build indexes from documents, and update them."""
