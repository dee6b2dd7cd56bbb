"""The service: it carries out one request from start to end, without HTTP."""
