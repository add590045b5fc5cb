"""The project's measured figures: each compares things within one run, on machines that vary."""
