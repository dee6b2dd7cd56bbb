"""Sources that assets are downloaded from, and the conversion of downloaded files."""
