"""Every Avro schema of civicwire, the topics they travel on and the wire format around them.

The base room: it imports no other room.
"""
