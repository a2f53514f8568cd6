output "env_file" {
  description = "Settings of civicwire."
  value       = module.civicwire.env_file
}

output "service_accounts" {
  description = "Address of each identity's service account."
  value       = module.civicwire.service_accounts
}
