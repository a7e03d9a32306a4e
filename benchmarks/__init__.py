"""The benchmarks: `make bench` runs them all and writes their tables to `benchmarks/results/`."""
