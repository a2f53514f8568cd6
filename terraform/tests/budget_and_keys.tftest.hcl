# What is optional beside the line itself: the alert on cost, and keys of one's own.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "civicwire-test"
}

run "no_budget_by_default" {
  assert {
    condition     = length(google_billing_budget.this) + length(google_monitoring_notification_channel.budget) == 0
    error_message = "A budget needs a billing account, which nobody named."
  }
}

run "budget" {
  variables {
    budget = {
      billing_account = "012345-6789AB-CDEF01"
      amount          = 50
      currency        = "EUR"
      emails          = ["data@example.org"]
    }
  }

  assert {
    condition     = one(google_billing_budget.this[0].budget_filter).projects == toset(["projects/123456789012"])
    error_message = "The budget is about another project, or all of the account's."
  }

  assert {
    condition = (
      one(one(google_billing_budget.this[0].amount).specified_amount).units == "50" &&
      one(one(google_billing_budget.this[0].amount).specified_amount).currency_code == "EUR"
    )
    error_message = "The budget is of another amount."
  }

  assert {
    condition = toset([for rule in google_billing_budget.this[0].threshold_rules : "${rule.spend_basis} ${rule.threshold_percent}"]) == toset([
      "CURRENT_SPEND 0.5", "CURRENT_SPEND 0.9", "CURRENT_SPEND 1", "FORECASTED_SPEND 1",
    ])
    error_message = "The alert comes at other shares."
  }

  assert {
    condition     = one(google_billing_budget.this[0].all_updates_rule).monitoring_notification_channels == tolist([google_monitoring_notification_channel.budget["data@example.org"].id])
    error_message = "The alert does not reach those who were named."
  }
}

run "keys_of_google_by_default" {
  assert {
    condition = (
      length(google_bigquery_dataset.main.default_encryption_configuration) + length(google_storage_bucket.loads.encryption) +
      length(google_kms_crypto_key_iam_member.warehouse) + length(google_kms_crypto_key_iam_member.regional)
    ) == 0
    error_message = "A key is used that nobody named."
  }
}

run "keys_of_your_own" {
  variables {
    kafka = {}
    flink = { image = "example.org/flink:2.3.0-1" }
    kms_keys = {
      warehouse = "projects/civicwire-test/locations/us/keyRings/data/cryptoKeys/warehouse"
      regional  = "projects/civicwire-test/locations/us-central1/keyRings/data/cryptoKeys/regional"
    }
  }

  assert {
    condition = alltrue([
      for dataset in [google_bigquery_dataset.main, google_bigquery_dataset.stage, google_bigquery_dataset.marts] :
      one(dataset.default_encryption_configuration).kms_key_name == var.kms_keys.warehouse
      ]) && alltrue([
      for table in concat(values(google_bigquery_table.main), values(google_bigquery_table.stage)) :
      one(table.encryption_configuration).kms_key_name == var.kms_keys.warehouse
    ]) && one(google_storage_bucket.loads.encryption).default_kms_key_name == var.kms_keys.warehouse
    error_message = "Something of the warehouse is under another key."
  }

  assert {
    condition = (
      one(google_storage_bucket.checkpoints[0].encryption).default_kms_key_name == var.kms_keys.regional &&
      one(google_managed_kafka_cluster.this[0].gcp_config).kms_key == var.kms_keys.regional &&
      google_artifact_registry_repository.images[0].kms_key_name == var.kms_keys.regional &&
      one(one(one(one(google_secret_manager_secret.this["socrata-app-token"].replication).user_managed).replicas).customer_managed_encryption).kms_key_name == var.kms_keys.regional
    )
    error_message = "Something in the region is under another key."
  }

  assert {
    condition = toset([
      for grant in concat(values(google_kms_crypto_key_iam_member.warehouse), values(google_kms_crypto_key_iam_member.regional)) :
      "${basename(grant.crypto_key_id)} ${grant.role} ${grant.member}"
      ]) == toset([
      "warehouse roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com",
      "warehouse roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com",
      "regional roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com",
      "regional roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-secretmanager.iam.gserviceaccount.com",
      "regional roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-managedkafka.iam.gserviceaccount.com",
      "regional roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-artifactregistry.iam.gserviceaccount.com",
    ])
    error_message = "A service could not use the key of its data, or may use another's."
  }
}
