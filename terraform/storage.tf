# Buckets: files that are loaded into BigQuery by hand or in bulk, and the checkpoints of Flink.

resource "google_storage_bucket" "loads" {
  project                     = var.project
  name                        = "${var.project}-${var.prefix}-loads"
  location                    = upper(var.location)
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.loads_keep_days
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "encryption" {
    for_each = var.kms_keys.warehouse[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.warehouse]
}

resource "google_storage_bucket_iam_member" "loads_writer" {
  bucket = google_storage_bucket.loads.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this["writer"].member
}

resource "google_storage_bucket" "checkpoints" {
  count = local.with_flink ? 1 : 0

  project                     = var.project
  name                        = "${var.project}-${var.prefix}-flink"
  location                    = upper(var.region)
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  # Flink deletes its old checkpoints every few seconds; keeping them for a week would cost more than the live ones.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "encryption" {
    for_each = var.kms_keys.regional[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.regional]
}

resource "google_storage_bucket_iam_member" "checkpoints_flink" {
  count = local.with_flink ? 1 : 0

  bucket = google_storage_bucket.checkpoints[0].name
  role   = "roles/storage.objectUser"
  member = google_service_account.this["flink"].member
}
