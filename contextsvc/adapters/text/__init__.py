"""Text processing: blocks, sentences, token counts and near-duplicates."""
