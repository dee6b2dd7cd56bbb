"""How far the utilization score can be trusted, and what it costs."""
