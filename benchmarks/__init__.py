"""What the design promises of speed, measured: `python -m benchmarks`. README.md beside this says how to add to it."""
