"""The composition root: settings, wiring, logging, the command line and what runs the parts.

The only package that reads the clock and the environment. Nobody imports it.
"""
