"""Quality and cost of the utilization score."""
