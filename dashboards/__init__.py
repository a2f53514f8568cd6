"""Dashboards as code: one module for each dashboard, built into the committed JSON of ``dashboards/generated/``."""
