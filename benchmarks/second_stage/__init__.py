"""Whether a learned second stage ranks better than fixed weights where it was not trained:
`python -m benchmarks.second_stage`.
"""
