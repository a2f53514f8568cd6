"""Set-up from a bare Python: finds interpreters, makes the environments, fetches the jars.

Everything here runs on any Python from 3.7 on and on the standard library alone, because it is what makes the rest
installable.
"""
