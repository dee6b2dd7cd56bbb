"""Text processing: block parsing, sentence splitting, token counting and near-duplicate detection."""
