"""A dashboard without Grafana: the committed JSON, its queries run on the warehouse, as one self-contained page."""
