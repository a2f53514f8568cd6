# The warehouse alone: datasets, tables, accounts, a bucket and a place for the Socrata token. State stays on this machine.
#
#   terraform init
#   terraform apply -var project=my-project
#   terraform output -raw env_file > ../../../.env

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

provider "google" {
  project = var.project
}

module "civicwire" {
  source = "../.." # elsewhere: git::https://…/civicwire.git//terraform?ref=<a tag or commit>

  project = var.project
}
