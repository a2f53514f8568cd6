"""Put folders, data sources, dashboards and alert rules on a Grafana, through its API.

The API is asked with ``requests``: grafana-client 5.1.4 brings urllib3-future, which puts itself in the place of the
urllib3 that the pollers and the warehouse's client run on, and eight requests are not worth that.
"""
