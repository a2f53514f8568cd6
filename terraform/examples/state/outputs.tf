output "backend" {
  description = "Settings for terraform init -backend-config=backend.hcl"
  value       = <<-EOT
    bucket = "${google_storage_bucket.state.name}"
    prefix = "civicwire"
  EOT
}
