# Everything that the module can make, with state in a bucket.
#
#   terraform init -backend-config=backend.hcl     (written by ../state)
#   terraform apply                                (values in terraform.tfvars: see terraform.tfvars.example)
#   terraform output -raw env_file > ../../../.env
#   terraform output -raw flink_manifest | kubectl apply -f -

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # Bucket and prefix come from backend.hcl: a backend block takes no variables.
  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = var.region

  # The budget's API bills its requests to a project; without these two lines a person's own login is refused.
  billing_project       = var.project
  user_project_override = true
}

module "civicwire" {
  source = "../.." # elsewhere: git::https://…/civicwire.git//terraform?ref=<a tag or commit>

  project       = var.project
  region        = var.region
  location      = var.location
  labels        = { environment = "production" }
  reader_groups = var.reader_groups

  # People and machines that run civicwire get short-lived tokens of these accounts.
  impersonators = {
    writer  = var.operators
    dbt     = var.operators
    grafana = var.grafana
  }

  budget = var.budget

  kafka        = { vcpus = 3, memory_gib = 12 }
  flink        = { image = var.flink_image, task_managers = 1 }
  registry_url = var.registry_url
}
