# Datasets and tables. tables/*.json come from the Avro files: `make generate` writes them.
#
# A dataset's list of who has access is whole: what is not in it goes away at the next apply. READER and WRITER are
# BigQuery's own names, in these lists, of roles/bigquery.dataViewer and roles/bigquery.dataEditor.

locals {
  tables       = { for file in fileset("${path.module}/tables", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${path.module}/tables/${file}")) }
  stage_tables = { for file in fileset("${path.module}/tables/stage", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${path.module}/tables/stage/${file}")) }

  marts_id = "${var.dataset}_marts"

  # What a crash leaves in the stage goes after a day; the tables themselves stay.
  stage_keeps_ms = 24 * 60 * 60 * 1000
}

resource "google_bigquery_dataset" "main" {
  project                    = var.project
  dataset_id                 = var.dataset
  location                   = var.location
  friendly_name              = "civicwire"
  description                = "Current incidents, persons and indicators, every revision of them, counts, and the receipts of polls."
  labels                     = local.labels
  delete_contents_on_destroy = !var.deletion_protection

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.this["writer"].email
  }
  access {
    role          = "READER"
    user_by_email = google_service_account.this["dbt"].email
  }
  dynamic "access" {
    for_each = var.replay ? ["replay"] : []
    content {
      role          = "WRITER"
      user_by_email = google_service_account.this[access.value].email
    }
  }
  # The marts' views read these tables for whoever may read the marts.
  access {
    dataset {
      dataset {
        project_id = var.project
        dataset_id = google_bigquery_dataset.marts.dataset_id
      }
      target_types = ["VIEWS"]
    }
  }

  dynamic "default_encryption_configuration" {
    for_each = var.kms_keys.warehouse[*]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.warehouse]
}

resource "google_bigquery_dataset" "stage" {
  project                         = var.project
  dataset_id                      = "${var.dataset}_stage"
  location                        = var.location
  friendly_name                   = "civicwire stage"
  description                     = "Rows that wait for their merge, for seconds. Nobody but the writer has access."
  labels                          = local.labels
  default_partition_expiration_ms = local.stage_keeps_ms
  max_time_travel_hours           = "48" # the least: nobody looks at yesterday's stage
  delete_contents_on_destroy      = true

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.this["writer"].email
  }
  dynamic "access" {
    for_each = var.replay ? ["replay"] : []
    content {
      role          = "WRITER"
      user_by_email = google_service_account.this[access.value].email
    }
  }

  dynamic "default_encryption_configuration" {
    for_each = var.kms_keys.warehouse[*]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.warehouse]
}

resource "google_bigquery_dataset" "marts" {
  project                    = var.project
  dataset_id                 = local.marts_id
  location                   = var.location
  friendly_name              = "civicwire marts"
  description                = "What the dashboards show; dbt makes and replaces every table and view of it."
  labels                     = local.labels
  delete_contents_on_destroy = true # dbt makes it all again

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.this["dbt"].email
  }
  access {
    role          = "READER"
    user_by_email = google_service_account.this["grafana"].email
  }
  dynamic "access" {
    for_each = var.reader_groups
    content {
      role           = "READER"
      group_by_email = access.value
    }
  }

  dynamic "default_encryption_configuration" {
    for_each = var.kms_keys.warehouse[*]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.warehouse]
}

resource "google_bigquery_table" "main" {
  for_each = local.tables

  project                  = var.project
  dataset_id               = google_bigquery_dataset.main.dataset_id
  table_id                 = each.key
  description              = each.value.description
  schema                   = jsonencode(each.value.schema)
  clustering               = each.value.clustering
  require_partition_filter = each.value.require_partition_filter
  labels                   = merge(local.labels, each.value.labels)
  deletion_protection      = var.deletion_protection

  time_partitioning {
    type          = each.value.partition.type
    field         = each.value.partition.field
    expiration_ms = each.value.partition.expiration_ms
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_keys.warehouse[*]
    content {
      kms_key_name = encryption_configuration.value
    }
  }
}

resource "google_bigquery_table" "stage" {
  for_each = local.stage_tables

  project                  = var.project
  dataset_id               = google_bigquery_dataset.stage.dataset_id
  table_id                 = each.key
  description              = each.value.description
  schema                   = jsonencode(each.value.schema)
  clustering               = each.value.clustering
  require_partition_filter = each.value.require_partition_filter
  labels                   = merge(local.labels, each.value.labels)
  deletion_protection      = false

  time_partitioning {
    type          = each.value.partition.type
    field         = each.value.partition.field
    expiration_ms = each.value.partition.expiration_ms
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_keys.warehouse[*]
    content {
      kms_key_name = encryption_configuration.value
    }
  }
}

resource "google_bigquery_table_iam_member" "grafana" {
  for_each = var.grafana_tables

  project    = var.project
  dataset_id = google_bigquery_dataset.main.dataset_id
  table_id   = google_bigquery_table.main[each.key].table_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.this["grafana"].member
}
