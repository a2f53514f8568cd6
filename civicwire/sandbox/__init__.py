"""The sandbox portal: a local server that behaves like the real portals and knows the truth.

The portal side shares no code with the producers, because it is what they are tested against.
"""
