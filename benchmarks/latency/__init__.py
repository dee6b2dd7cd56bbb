"""From a query's text to what a model is given: over a socket alone, and beside other pipelines."""
