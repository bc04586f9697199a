"""Faults: damaged inputs, kills and full disks, counted by kind; `docs/reliability.md` has the promises and figures."""
