"""Side-by-side benchmark, `python -m benchmarks.run`: public data and a model in, results.json and a table out."""
