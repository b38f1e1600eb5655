"""Commands of the repository: set-up, tests, models, benchmarks."""
