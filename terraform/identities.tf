# Who there is, and who may be them. No keys: a person or machine that may act as one of these gets short-lived tokens.
# What each may do stands beside the thing that it is done to; README.md has the table.

locals {
  identities = merge({
    producer = "Polls the portals and publishes what changed"
    writer   = "Loads the topics into BigQuery"
    dbt      = "Builds the marts"
    grafana  = "Reads the marts for the dashboards"
    },
    local.with_network ? { flink = "Runs the stream jobs, from topic to topic" } : {},
    var.replay ? { replay = "Makes a second generation beside the live one and swaps them" } : {},
  )

  # Running queries and load jobs is a right on the project; it shows no data of any dataset. So is making datasets, each
  # of which then belongs to who made it.
  job_users = toset(["writer", "dbt", "grafana"])

  impersonations = merge([
    for identity, members in var.impersonators : {
      for member in members : "${identity} ${member}" => { identity = identity, member = member }
    }
  ]...)
}

resource "google_service_account" "this" {
  for_each = local.identities

  project      = var.project
  account_id   = "${var.prefix}-${each.key}"
  display_name = "civicwire ${each.key}"
  description  = each.value

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "job_user" {
  for_each = local.job_users

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.this[each.key].member
}

resource "google_project_iam_member" "replay" {
  count = var.replay ? 1 : 0

  project = var.project
  role    = "roles/bigquery.user"
  member  = google_service_account.this["replay"].member
}

resource "google_service_account_iam_member" "impersonator" {
  for_each = local.impersonations

  service_account_id = google_service_account.this[each.value.identity].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value.member
}
