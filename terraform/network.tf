# A private network for Kafka and Flink. Nothing in it has an address of the internet; pods reach the portals through NAT.

resource "google_compute_network" "this" {
  count = local.with_network ? 1 : 0

  project                 = var.project
  name                    = var.prefix
  auto_create_subnetworks = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "this" {
  count = local.with_network ? 1 : 0

  project                  = var.project
  name                     = var.prefix
  region                   = var.region
  network                  = google_compute_network.this[0].id
  ip_cidr_range            = cidrsubnet(var.network_cidr, 4, 0)
  private_ip_google_access = true

  dynamic "secondary_ip_range" {
    for_each = local.with_flink ? { pods = cidrsubnet(var.network_cidr, 1, 1), services = cidrsubnet(var.network_cidr, 4, 1) } : {}
    content {
      range_name    = secondary_ip_range.key
      ip_cidr_range = secondary_ip_range.value
    }
  }
}

resource "google_compute_router" "this" {
  count = local.with_flink ? 1 : 0

  project = var.project
  name    = var.prefix
  region  = var.region
  network = google_compute_network.this[0].id
}

resource "google_compute_router_nat" "this" {
  count = local.with_flink ? 1 : 0

  project                            = var.project
  name                               = var.prefix
  region                             = var.region
  router                             = google_compute_router.this[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
