"""One library a file; each module implements a port."""
