# A bucket for Terraform's own state, made once before everything else; its own state stays on this machine and can be
# thrown away (the bucket is imported again by its name).
#
#   terraform init
#   terraform apply -var project=my-project
#   terraform output -raw backend > ../complete/backend.hcl

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

resource "google_storage_bucket" "state" {
  project                     = var.project
  name                        = "${var.project}-terraform-state"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # Every state that there was can be brought back; thirty of each are kept, for 90 days at least.
  versioning {
    enabled = true
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions         = 30
      days_since_noncurrent_time = 90
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Who may read and write the state may do what Terraform does: name people who run it, and nobody else.
resource "google_storage_bucket_iam_member" "operators" {
  for_each = var.operators

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = each.key
}
