"""Vector and term searches."""
