"""Poll the portals and publish every change once: sources, clients, the poll protocol, ledger and publisher."""
