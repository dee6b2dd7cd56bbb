"""Time from a query to the context of a model: over a socket, and in process beside other pipelines."""
