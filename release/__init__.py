"""What is handed out: sdist, wheel, conda recipe, image context, documentation, checksums. `make release` runs it."""
