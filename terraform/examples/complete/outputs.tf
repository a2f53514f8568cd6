output "env_file" {
  description = "Settings of civicwire."
  value       = module.civicwire.env_file
}

output "flink_manifest" {
  description = "Kubernetes objects of the Flink session."
  value       = module.civicwire.flink_manifest
}

output "service_accounts" {
  description = "Address of each identity's service account."
  value       = module.civicwire.service_accounts
}

output "image_repository" {
  description = "Where images for the cluster are pushed to."
  value       = module.civicwire.image_repository
}
