"""Reading of files and folders as documents."""
