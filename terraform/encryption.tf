# Keys of your own: Google's services may use them, each only the key of its data.

locals {
  service_agents = {
    secretmanager = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    artifacts     = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    managedkafka  = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-managedkafka.iam.gserviceaccount.com"
  }
}

data "google_bigquery_default_service_account" "this" {
  count = var.kms_keys.warehouse == null ? 0 : 1

  project = var.project
}

data "google_storage_project_service_account" "this" {
  count = var.kms_keys.warehouse == null && var.kms_keys.regional == null ? 0 : 1

  project = var.project
}

resource "google_kms_crypto_key_iam_member" "warehouse" {
  for_each = var.kms_keys.warehouse == null ? {} : {
    bigquery = "serviceAccount:${data.google_bigquery_default_service_account.this[0].email}"
    storage  = "serviceAccount:${data.google_storage_project_service_account.this[0].email_address}"
  }

  crypto_key_id = var.kms_keys.warehouse
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  depends_on = [google_project_service.this]
}

resource "google_kms_crypto_key_iam_member" "regional" {
  for_each = var.kms_keys.regional == null ? {} : merge(
    { secretmanager = local.service_agents.secretmanager },
    local.with_kafka ? { managedkafka = local.service_agents.managedkafka } : {},
    local.with_flink ? {
      artifacts = local.service_agents.artifacts
      storage   = "serviceAccount:${data.google_storage_project_service_account.this[0].email_address}"
    } : {},
  )

  crypto_key_id = var.kms_keys.regional
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  depends_on = [google_project_service.this]
}
