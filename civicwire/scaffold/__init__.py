"""``civicwire source new``: a feed's files drafted from what its portal says of itself and a sample of its rows.

Everything that comes from a portal is data: it reaches a file only through the writer of that file's format, cut to one
printable line, and never a SQL file, which holds nothing but names and words made here.
"""
