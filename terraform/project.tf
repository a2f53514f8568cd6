# What everything else refers to: names, labels, the project's number and its APIs.

locals {
  labels = merge({ application = "civicwire", managed_by = "terraform" }, var.labels)

  with_kafka   = var.kafka != null
  with_flink   = var.flink != null
  with_network = local.with_kafka || local.with_flink

  apis = toset(concat(
    ["bigquery", "bigquerystorage", "iam", "iamcredentials", "secretmanager", "storage"],
    var.budget == null ? [] : ["billingbudgets", "monitoring"],
    var.kms_keys.warehouse == null && var.kms_keys.regional == null ? [] : ["cloudkms"],
    local.with_network ? ["compute"] : [],
    local.with_kafka ? ["managedkafka"] : [],
    local.with_flink ? ["artifactregistry", "container"] : [],
  ))
}

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "this" {
  for_each = var.enable_apis ? local.apis : []

  project            = var.project
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false # another application of the project may need it
}
