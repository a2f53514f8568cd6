locals {
  # Names as civicwire/settings.py has them. What is not there has no line.
  env = {
    for name, value in {
      CIVICWIRE_TARGET   = "bigquery"
      CIVICWIRE_PROJECT  = var.project
      CIVICWIRE_DATASET  = google_bigquery_dataset.main.dataset_id
      CIVICWIRE_LOCATION = google_bigquery_dataset.main.location
      CIVICWIRE_KAFKA    = local.kafka_bootstrap
      # Google takes TLS only, and a service account as the user. Who that is and its password are added by hand: each
      # process runs as another, and the state holds no secret.
      CIVICWIRE_KAFKA_SECURITY  = local.with_kafka ? "sasl_ssl" : null
      CIVICWIRE_KAFKA_MECHANISM = local.with_kafka ? "PLAIN" : null
      CIVICWIRE_REGISTRY        = var.registry_url
      CIVICWIRE_FLINK           = local.with_flink ? "http://flink-jobmanager.${var.flink.namespace}.svc.cluster.local:8081" : null
    } : name => value if value != null
  }
}

output "env" {
  description = "Settings of civicwire for this installation."
  value       = local.env
}

output "env_file" {
  description = "The same as text: terraform output -raw env_file > .env"
  value       = join("", [for name, value in local.env : "${name}=${value}\n"])
}

output "service_accounts" {
  description = "Address of each identity's service account."
  value       = { for identity, account in google_service_account.this : identity => account.email }
}

output "datasets" {
  description = "Datasets: main (tables), stage, marts."
  value = {
    main  = google_bigquery_dataset.main.dataset_id
    stage = google_bigquery_dataset.stage.dataset_id
    marts = google_bigquery_dataset.marts.dataset_id
  }
}

output "loads_bucket" {
  description = "Bucket for files to be loaded into BigQuery."
  value       = "gs://${google_storage_bucket.loads.name}"
}

output "secrets" {
  description = "Full name of each entry in Secret Manager; its value is added by hand."
  value       = { for name, secret in google_secret_manager_secret.this : name => secret.id }
}

output "kafka_bootstrap" {
  description = "Bootstrap servers of Managed Kafka, reached from its network only; null without."
  value       = local.kafka_bootstrap
}

output "image_repository" {
  description = "Where images for the cluster are pushed to; null without Flink."
  value       = local.with_flink ? "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images[0].repository_id}" : null
}

output "flink_cluster" {
  description = "Name of the GKE cluster, for gcloud container clusters get-credentials --dns-endpoint; null without Flink."
  value       = local.with_flink ? google_container_cluster.this[0].name : null
}

output "flink_manifest" {
  description = "Kubernetes objects of the Flink session: terraform output -raw flink_manifest | kubectl apply -f -"
  value       = local.flink_manifest
}
